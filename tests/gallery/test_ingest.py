"""What a run reports and does, case by case; test_ingest_machine.py mixes the cases."""

import builtins
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from sketchseek.gallery import Gallery, GalleryError
from sketchseek.gallery.ingest import Progress, Report
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, jpeg, png, put


def counts(report: Report) -> dict[str, int]:
    """What is not zero."""
    keys = ("added", "updated", "moved", "removed", "unchanged")
    found = {key: getattr(report, key) for key in keys} | {"failed": len(report.failed)}
    return {key: value for key, value in found.items() if value}


def contents(gallery: Gallery) -> list[tuple[Any, ...]]:
    """All that a gallery knows, whatever order it learnt it in."""
    with sqlite3.connect(Path(gallery.path) / "gallery.sqlite") as db:
        rows = db.execute(
            "SELECT f.path, f.size, f.mtime_ns, f.failure, c.hash, c.width, c.height, c.taken, c.copies, m.identity, "
            "v.vector, v.lines FROM files f LEFT JOIN contents c ON c.row = f.content "
            "LEFT JOIN vectors v ON v.content = c.row LEFT JOIN models m ON m.row = v.model ORDER BY f.path, m.identity"
        ).fetchall()
    db.close()
    return rows


def test_the_first_run_adds_everything(gallery: Gallery, photos: Path, model: GridModel) -> None:
    fill(photos, 5)
    assert counts(gallery.add(photos)) == {"added": 5}
    assert model.encoded == 5


def test_unchanged_files_are_not_opened(gallery: Gallery, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(photos, 5)
    put(photos / "broken.jpg", b"no photo")
    gallery.add(photos)
    opened: list[Any] = []

    def noting(real: Any) -> Any:
        def call(path: Any, *args: Any, **options: Any) -> Any:
            opened.append(path)
            return real(path, *args, **options)

        return call

    monkeypatch.setattr(builtins, "open", noting(builtins.open))
    monkeypatch.setattr(os, "open", noting(os.open))
    assert counts(gallery.add(photos)) == {"unchanged": 5, "failed": 1}
    assert not [path for path in opened if str(photos) in os.fsdecode(path) if not isinstance(path, int)]


def test_a_moved_file_is_not_encoded_again(gallery: Gallery, photos: Path, model: GridModel) -> None:
    paths = fill(photos, 5)
    gallery.add(photos)
    (photos / "deep").mkdir()
    paths[2].rename(photos / "deep" / "elsewhere.png")
    assert counts(gallery.add(photos)) == {"moved": 1, "unchanged": 4}
    assert model.encoded == 5
    assert gallery.search(photo=photos / "deep" / "elsewhere.png", k=1)[0].path == photos / "deep" / "elsewhere.png"


def test_a_move_between_two_folders_of_one_run_is_a_move(gallery: Gallery, tmp_path: Path, model: GridModel) -> None:
    first, second = tmp_path / "z", tmp_path / "a"
    paths = fill(first, 3)
    second.mkdir()
    gallery.add([first, second])
    paths[0].rename(second / "x.png")
    assert counts(gallery.add()) == {"moved": 1, "unchanged": 2}
    assert model.encoded == 3


def test_names_shifted_by_one_are_not_encoded_again(gallery: Gallery, photos: Path, model: GridModel) -> None:
    """Renumbering: every name but one holds another photo than before."""
    paths = [put(photos / f"{n}.png", png(n), mtime=1000 + n) for n in range(6)]
    gallery.add(photos, batch=2)
    for n in reversed(range(6)):
        paths[n].rename(photos / f"{n + 1}.png")
    report = gallery.add(photos, batch=2)
    assert model.encoded == 6
    assert (report.added + report.moved, report.updated, report.removed) == (1, 5, 1)
    assert gallery.search(photo=photos / "3.png", k=1)[0].path == photos / "3.png"


def test_deleted_files_disappear_with_their_vectors(gallery: Gallery, photos: Path) -> None:
    paths = fill(photos, 3)
    gallery.add(photos)
    data = paths[1].read_bytes()
    paths[1].unlink()
    assert counts(gallery.add(photos)) == {"removed": 1, "unchanged": 2}
    assert paths[1] not in [hit.path for hit in gallery.search(photo=data)]
    assert gallery.stats().models[0].vectors == 2


def test_the_last_photo_may_be_deleted_too(gallery: Gallery, photos: Path) -> None:
    (path,) = fill(photos, 1)
    gallery.add(photos)
    path.unlink()
    assert counts(gallery.add(photos)) == {"removed": 1}
    assert gallery.search(text="red") == []


def test_a_changed_file_is_replaced(gallery: Gallery, photos: Path) -> None:
    path = put(photos / "a.png", png(1), mtime=1000)
    gallery.add(photos)
    put(path, png(2), mtime=2000)
    assert counts(gallery.add(photos)) == {"updated": 1}
    assert gallery.search(photo=png(2))[0].score > 0.999
    assert len(gallery.search(photo=png(1))) == 1


def test_a_new_time_alone_changes_nothing(gallery: Gallery, photos: Path, model: GridModel) -> None:
    path = put(photos / "a.png", png(1), mtime=1000)
    gallery.add(photos)
    put(path, png(1), mtime=2000)
    assert counts(gallery.add(photos)) == {"unchanged": 1}
    assert model.encoded == 1


def test_copies_share_one_vector(gallery: Gallery, photos: Path, model: GridModel) -> None:
    for name in ("a.png", "b.png", "c.png"):
        put(photos / name, png(1))
    assert counts(gallery.add(photos)) == {"added": 3}
    assert model.encoded == 1
    (hit,) = gallery.search(photo=png(1))
    assert (hit.path, hit.duplicates) == (photos / "a.png", (photos / "b.png", photos / "c.png"))
    (photos / "a.png").unlink()
    assert counts(gallery.add(photos)) == {"removed": 1, "unchanged": 2}
    assert gallery.search(photo=png(1))[0].path == photos / "b.png"


BROKEN = {
    "empty.jpg": b"",
    "text.jpg": b"not a picture at all",
    "cut.png": png(1)[:40],
    "cut.jpg": jpeg(1)[: len(jpeg(1)) // 3],
    "zip.png": b"PK\3\4" + bytes(100),
    "noise.webp": b"RIFF\xff\xff\xff\xffWEBPVP8 " + bytes(range(256)),
    "gif.gif": b"GIF89a" + b"\xff" * 20,
    "bomb.png": png(1)[:16] + (65_000).to_bytes(4, "big") * 2 + png(1)[24:],
}


def test_broken_files_among_good_ones_are_named_with_their_reasons(gallery: Gallery, photos: Path) -> None:
    fill(photos, 10)
    for name, data in BROKEN.items():
        put(photos / name, data)
    report = gallery.add(photos, batch=3)
    assert counts(report) == {"added": 10, "failed": len(BROKEN)}
    assert [failure.path.name for failure in report.failed] == sorted(BROKEN)
    assert all(failure.reason and "\n" not in failure.reason for failure in report.failed)
    assert len(gallery.search(text="red")) == 10


def test_a_failure_is_tried_again_when_the_file_changes_or_when_asked(gallery: Gallery, photos: Path) -> None:
    path = put(photos / "a.png", b"half a file", mtime=1000)
    assert counts(gallery.add(photos)) == {"failed": 1}
    assert counts(gallery.add(photos)) == {"failed": 1}
    assert gallery.failures()[0][0] == path
    put(path, png(1), mtime=2000)
    assert counts(gallery.add(photos)) == {"updated": 1}
    put(path, b"x" * len(png(1)), mtime=3000)
    assert counts(gallery.add(photos)) == {"failed": 1}
    assert gallery.search(text="red") == []
    put(path, png(1), mtime=3000)  # same size, same time: only a retry sees it
    assert counts(gallery.add(photos)) == {"failed": 1}
    assert counts(gallery.add(photos, retry=True)) == {"updated": 1}


@pytest.mark.skipif(os.name == "nt", reason="needs permissions as POSIX has them")
def test_a_file_that_could_not_be_read_is_tried_again(
    gallery: Gallery, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(photos / "a.png", png(1))
    real = os.open

    def denied(name: Any, *rest: Any, **more: Any) -> int:
        if os.fsdecode(name) == str(path):
            raise PermissionError(13, "Permission denied", name)
        return real(name, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", denied)
        report = gallery.add(photos)
    assert report.failed[0].reason == "cannot be read: Permission denied"
    assert counts(gallery.add(photos)) == {"updated": 1}


def test_dates_and_sizes_come_from_the_file(gallery: Gallery, photos: Path) -> None:
    put(photos / "a.jpg", jpeg(1, taken="2021:07:04 12:33:10", turned=True, size=(24, 16)))
    put(photos / "b.jpg", jpeg(2, taken="not a date"))
    gallery.add(photos)
    found = {hit.path.name: hit for hit in gallery.search(text="red")}
    assert found["a.jpg"].taken is not None
    assert found["a.jpg"].taken.isoformat() == "2021-07-04T12:33:10"
    assert (found["a.jpg"].width, found["a.jpg"].height) == (16, 24)
    assert found["b.jpg"].taken is None


@pytest.mark.parametrize("name", ["наклейка 猫.png", "line\nend.png", "quote'\"\\.png", "-k.png", " .png"])
def test_any_name_is_a_name(gallery: Gallery, photos: Path, name: str) -> None:
    put(photos / name, png(1))
    assert counts(gallery.add(photos)) == {"added": 1}
    assert counts(gallery.add(photos)) == {"unchanged": 1}
    assert gallery.search(photo=png(1))[0].path == photos / name


@pytest.mark.skipif(os.name == "nt", reason="names there are text")
def test_a_name_of_bytes_that_are_no_text_is_a_name(gallery: Gallery, photos: Path) -> None:
    path = os.fsencode(photos) + b"/\xff\xfe.png"
    Path(os.fsdecode(path)).write_bytes(png(1))
    gallery.add(photos)
    assert os.fsencode(gallery.search(photo=png(1))[0].path) == path


def test_nothing_depends_on_batches_or_threads(tmp_path: Path, photos: Path) -> None:
    fill(photos, 30)
    put(photos / "copy.png", png(3))
    put(photos / "broken.png", b"x")
    results = []
    for batch, threads in ((1, 1), (4, 3), (7, 1), (64, 8)):
        with Gallery.open(tmp_path / f"{batch}-{threads}", GridModel()) as gallery:
            gallery.add(photos, batch=batch, threads=threads)
            results.append((contents(gallery), gallery.search(text="red", k=40)))
    assert all(result == results[0] for result in results)


def test_five_thousand_files_in_one_folder(gallery: Gallery, photos: Path, model: GridModel) -> None:
    for seed in range(5000):
        put(photos / f"{seed}.png", png(seed % 4000))
    assert counts(gallery.add(photos)) == {"added": 5000}
    assert model.encoded == 4000
    assert counts(gallery.add(photos)) == {"unchanged": 5000}
    assert gallery.stats().duplicates == 1000


def test_folders_inside_each_other_do_not_harm_each_other(gallery: Gallery, photos: Path) -> None:
    fill(photos, 2)
    fill(photos / ".hidden", 2, first=10)
    fill(photos / "sub", 2, first=20)
    gallery.add(photos / ".hidden")
    assert counts(gallery.add(photos)) == {"added": 4, "unchanged": 2}
    assert counts(gallery.add(photos / "sub")) == {"unchanged": 2}
    assert counts(gallery.add([photos, photos / "sub"])) == {"unchanged": 6}


def test_a_folder_that_is_gone_keeps_its_photos(gallery: Gallery, tmp_path: Path, photos: Path) -> None:
    fill(photos, 3)
    gallery.add(photos)
    photos.rename(tmp_path / "unplugged")
    with pytest.raises(GalleryError, match="its 3 photos are kept"):
        gallery.add(photos)
    assert len(gallery.search(text="red")) == 3


def test_an_unmounted_drive_keeps_its_photos(gallery: Gallery, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = fill(photos, 3)
    monkeypatch.setattr("sketchseek.gallery.ingest._device", lambda folder: 1)
    gallery.add(photos)
    for path in paths:
        path.unlink()
    monkeypatch.setattr("sketchseek.gallery.ingest._device", lambda folder: 2)
    report = gallery.add(photos)
    assert report.removed == 0
    assert "is its drive mounted?" in report.failed[0].reason
    assert len(gallery.search(text="red")) == 3
    assert gallery.add(photos).removed == 0, "looking twice is no reason to forget"


def test_a_folder_inside_that_cannot_be_listed_keeps_its_photos(
    gallery: Gallery, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(photos, 2)
    fill(photos / "locked", 2, first=10)
    gallery.add(photos)
    real = os.scandir

    def denied(path: Any) -> Any:
        if os.fsdecode(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", denied)
    report = gallery.add(photos)
    assert counts(report) == {"unchanged": 2, "failed": 1}
    assert len(gallery.search(text="red")) == 4


def test_what_is_no_folder_is_said(gallery: Gallery, photos: Path) -> None:
    (path,) = fill(photos, 1)
    with pytest.raises(GalleryError, match="is a file; name the folder it is in"):
        gallery.add(path)
    with pytest.raises(GalleryError, match="cannot be listed \\(No such file"):
        gallery.add(photos / "nowhere")
    with pytest.raises(GalleryError, match="knows no folders on this machine yet"):
        gallery.add()


def test_another_model_makes_a_second_set(tmp_path: Path, photos: Path) -> None:
    fill(photos, 4)
    put(photos / "broken.png", b"x")
    first, second = GridModel("first"), GridModel("second")
    with Gallery.open(tmp_path / "g", first) as gallery:
        gallery.add(photos)
    with Gallery.open(tmp_path / "g", second) as gallery:
        with pytest.raises(GalleryError, match="made by grid-first, and those of grid-second cannot be compared"):
            gallery.search(text="red")
        assert counts(gallery.add(photos)) == {"added": 4, "failed": 1}
        assert counts(gallery.add(photos)) == {"unchanged": 4, "failed": 1}
        assert [one.vectors for one in gallery.stats().models] == [4, 4]
        theirs = gallery.search(text="red")
    with Gallery.open(tmp_path / "g", first) as gallery:
        ours = gallery.search(text="red")
        assert [hit.id for hit in ours] == [hit.id for hit in theirs]  # the flavours only shuffle the numbers
        assert gallery.stats().models[1].current


def test_a_set_that_is_not_whole_does_not_take_over(
    tmp_path: Path, photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(photos / "a", 2)
    fill(photos / "b", 2, first=10)
    with Gallery.open(tmp_path / "g", GridModel("first")) as gallery:
        gallery.add(photos)
    with Gallery.open(tmp_path / "g", GridModel("second")) as gallery:
        gallery.add(photos / "a")
        assert [one.current for one in gallery.stats().models] == [True, False]
        assert "2 photos of other folders have no vectors of grid-second yet" in caplog.text
        gallery.add(photos / "b")
        assert [one.current for one in gallery.stats().models] == [False, True]


def test_progress_counts_up_to_all(gallery: Gallery, photos: Path) -> None:
    fill(photos, 10)
    seen: list[Progress] = []
    gallery.add(photos, batch=4, progress=seen.append)
    assert [progress.done for progress in seen] == [0, 4, 8, 10]
    assert {progress.total for progress in seen} == {10}


def test_the_photos_are_never_written(gallery: Gallery, photos: Path) -> None:
    fill(photos, 3)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in photos.iterdir()}
    gallery.add(photos)
    gallery.search(text="red")
    gallery.remove(photos)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in photos.iterdir()} == before
