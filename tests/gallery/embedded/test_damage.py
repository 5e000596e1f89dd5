"""Damaged, deleted, foreign and newer databases: one sentence each, and nothing lost that was not damaged."""

import errno
import os
import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from sketchseek.gallery import Gallery, GalleryDamagedError, GalleryError
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, put
from tests.gallery.test_ingest import contents, counts


@pytest.fixture
def filled(gallery: Gallery, photos: Path) -> Path:
    """The folder of a gallery of 150 photos, closed, with its database in one file."""
    fill(photos, 150)
    gallery.add(photos)
    gallery.close()
    folder = Path(gallery.path)
    log = folder / "gallery.sqlite-wal"
    assert not log.exists() or log.stat().st_size == 0
    return folder


def test_a_newer_format_is_refused(filled: Path) -> None:
    with sqlite3.connect(filled / "gallery.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    for readonly in (True, False):
        with pytest.raises(GalleryError, match=r"has format 99, made by a newer sketchseek; .* upgrade"):
            Gallery.open(filled, readonly=readonly)
    with pytest.raises(GalleryError, match="newer sketchseek"):
        Gallery.open(filled, GridModel()).add(filled)


def test_a_format_from_before_the_first_release_is_refused(filled: Path) -> None:
    with sqlite3.connect(filled / "gallery.sqlite") as db:
        db.execute("PRAGMA user_version = 1")
        db.execute("DROP INDEX files_failed")
    db.close()
    with pytest.raises(GalleryError, match=r"has format 1, .* delete that folder and index again"):
        Gallery.open(filled, readonly=True)


def test_a_destroyed_first_page_costs_nothing(filled: Path, photos: Path) -> None:
    """It holds the names of the tables and where they begin, which are the same in every gallery."""
    with Gallery.open(filled) as gallery:
        good = contents(gallery)
    path = filled / "gallery.sqlite"
    data = path.read_bytes()
    path.write_bytes(data[:100] + bytes(3996) + data[4096:])
    with Gallery.open(filled, model := GridModel()) as gallery:
        with pytest.raises(GalleryDamagedError):
            gallery.search(text="red")
        gallery.rebuild()
        assert contents(gallery) == good
        assert counts(gallery.add(photos)) == {"unchanged": 150}
        assert model.encoded == 0


@pytest.mark.parametrize(
    ("start", "stop"), [(68, 69), (68, 72), (60, 64), (0, 100), (100, 108), (0, 4096)], ids=lambda place: str(place)
)
def test_a_lost_header_or_first_page_costs_nothing(filled: Path, start: int, stop: int) -> None:
    """68 to 72 is the application id, 60 to 64 the number of the format."""
    with Gallery.open(filled) as gallery:
        good = contents(gallery)
    path = filled / "gallery.sqlite"
    data = bytearray(path.read_bytes())
    data[start:stop] = bytes(stop - start)
    path.write_bytes(data)
    with Gallery.open(filled, GridModel()) as gallery:
        with pytest.raises(GalleryDamagedError):
            gallery.search(text="red")
        gallery.rebuild()
        assert contents(gallery) == good
        assert gallery.verify() == []


def test_a_damaged_database_is_kept_where_there_are_no_hard_links(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    path = filled / "gallery.sqlite"
    damaged = bytes(4096) + path.read_bytes()[4096:]
    path.write_bytes(damaged)
    monkeypatch.setattr(os, "link", refused)
    with Gallery.open(filled, GridModel()) as gallery:
        assert len(gallery.rebuild()) == 1
    assert (filled / "gallery.sqlite.damaged").read_bytes() == damaged


def test_rows_with_great_numbers_are_kept(filled: Path) -> None:
    """Numbers of rows grow with every change, the file does not."""
    path = filled / "gallery.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("UPDATE vectors SET row = row + 1000000000")
        db.execute("UPDATE files SET row = row + 1000000000")
    db.close()
    with Gallery.open(filled) as gallery:
        good = contents(gallery)
    data = path.read_bytes()
    path.write_bytes(data[:100] + bytes(3996) + data[4096:])
    with Gallery.open(filled, GridModel()) as gallery:
        gallery.rebuild()
        assert contents(gallery) == good


def test_a_reader_follows_a_replaced_database(filled: Path, tmp_path: Path) -> None:
    """One repaired by another process, or restored from a backup."""
    shutil.copyfile(filled / "gallery.sqlite", tmp_path / "backup")
    with Gallery.open(filled, GridModel(), readonly=True) as reader:
        assert len(reader.search(text="red", k=200)) == 150
        with Gallery.open(filled, GridModel()) as other:
            other.remove(tmp_path / "photos" / "00000.png")
        assert len(reader.search(text="red", k=200)) == 149
        (tmp_path / "backup").replace(filled / "gallery.sqlite")
        assert len(reader.search(text="red", k=200)) == 150


def test_a_reader_follows_a_rebuild(filled: Path) -> None:
    """Dropped rows end the history that a reader's index was made from."""
    with Gallery.open(filled, GridModel()) as reader, Gallery.open(filled, GridModel()) as other:
        assert len(reader.search(text="red", k=200)) == 150
        with sqlite3.connect(filled / "gallery.sqlite") as db:
            db.execute("UPDATE commits SET epoch = 99 WHERE generation = (SELECT max(generation) FROM commits)")
            db.execute("UPDATE vectors SET crc = 0 WHERE row = 7")
        db.close()
        with pytest.raises(GalleryDamagedError, match="a row has changed since it was written"):
            reader.search(text="red")
        other.rebuild()
        assert len(reader.search(text="red", k=200)) == 149


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "gallery.sqlite") as db:
        db.execute("CREATE TABLE precious (value)")
    db.close()
    before = (tmp_path / "gallery.sqlite").read_bytes()
    with pytest.raises(GalleryError, match="is not a sketchseek gallery"):
        Gallery.open(tmp_path, GridModel())
    assert (tmp_path / "gallery.sqlite").read_bytes() == before


def test_a_gallery_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="there is no gallery in"):
        Gallery.open(tmp_path / "nowhere", readonly=True)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("garbage", [b"", b"\0" * 5000, b"not a database at all" * 300])
def test_a_destroyed_database_is_one_sentence(filled: Path, garbage: bytes, photos: Path) -> None:
    (filled / "gallery.sqlite").write_bytes(garbage)
    if not garbage:  # to SQLite this is a new database: the gallery simply starts again
        with pytest.raises(GalleryError, match="there is no gallery in"):
            Gallery.open(filled, readonly=True)
        with Gallery.open(filled, GridModel()) as gallery:
            assert gallery.add(photos).added == 150
        return
    with Gallery.open(filled, GridModel()) as gallery:
        with pytest.raises(GalleryDamagedError, match=r"is damaged .* `sketchseek gallery rebuild`"):
            gallery.search(text="red")
        with pytest.raises(GalleryError, match=r"delete the folder .* and index again: your photos were never touched"):
            gallery.rebuild()


def test_a_deleted_database_starts_again_and_the_old_index_is_not_believed(filled: Path, photos: Path) -> None:
    (filled / "gallery.sqlite").unlink()
    with Gallery.open(filled, GridModel()) as gallery:
        assert gallery.search(text="red") == []
        assert gallery.add(photos).added == 150
        assert len(gallery.search(text="red", k=200)) == 150


def test_a_destroyed_page_of_vectors_costs_those_vectors(filled: Path, photos: Path) -> None:
    path = filled / "gallery.sqlite"
    db = sqlite3.connect(path)
    (vector,) = db.execute("SELECT vector FROM vectors WHERE row = 70").fetchone()
    db.close()
    data = bytearray(path.read_bytes())
    page = data.index(vector) // 4096 * 4096
    data[page : page + 4096] = random.Random(0).randbytes(4096)
    path.write_bytes(data)
    with Gallery.open(filled, model := GridModel()) as gallery:
        assert "`sketchseek gallery rebuild` keeps what can be read" in gallery.verify()[0].what
        gallery.rebuild()
        kept = len(gallery.search(text="red", k=200))
        assert 150 - 35 <= kept < 150
        assert counts(gallery.add(photos)) == {"added": 150 - kept, "unchanged": kept}
        assert model.encoded == 150 - kept
        assert len(gallery.search(text="red", k=200)) == 150
        assert (filled / "gallery.sqlite.damaged").exists()


@pytest.mark.parametrize("column", ["vector", "lines"])
def test_a_damaged_vector_is_noticed_and_made_again(filled: Path, photos: Path, column: str) -> None:
    path = filled / "gallery.sqlite"
    with sqlite3.connect(path) as db:
        data = db.execute(f"SELECT {column} FROM vectors WHERE row = 7").fetchone()[0]
        db.execute(f"UPDATE vectors SET {column} = ? WHERE row = 7", (data[:-1] + bytes([data[-1] ^ 1]),))
    db.close()
    with Gallery.open(filled, model := GridModel()) as gallery:
        assert len(gallery.search(text="red", k=200)) == 149
        assert any("1 rows of vectors are damaged" in problem.what for problem in gallery.verify())
        assert any("1 damaged rows of vectors were dropped" in problem.what for problem in gallery.rebuild())
        assert counts(gallery.add(photos)) == {"added": 1, "unchanged": 149}
        assert model.encoded == 1
        assert len(gallery.search(text="red", k=200)) == 150


def test_every_file_of_the_gallery_may_go_but_the_database(filled: Path) -> None:
    with Gallery.open(filled, GridModel()) as gallery:
        before = gallery.search(text="red", k=200)
    for path in filled.iterdir():
        if path.name != "gallery.sqlite":
            path.unlink()
    with Gallery.open(filled, GridModel()) as gallery:
        assert gallery.search(text="red", k=200) == before


def test_a_copied_gallery_is_a_gallery(filled: Path, tmp_path: Path) -> None:
    shutil.copytree(filled, tmp_path / "copy")
    with Gallery.open(filled, GridModel()) as one, Gallery.open(tmp_path / "copy", GridModel()) as other:
        assert one.search(text="red") == other.search(text="red")


def test_a_failing_disk_is_one_sentence(gallery: Gallery, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(photos, 3)

    def failing(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr("sketchseek.gallery.embedded.writer.Writer.add_vector", failing)
        with pytest.raises(GalleryError, match=r"no space is left for the gallery .* what was committed is kept"):
            gallery.add(photos)
    assert gallery.add(photos).added == 3


@pytest.mark.parametrize("call", ["fsync", "replace", "unlink"])
def test_a_disk_that_fails_while_a_gallery_is_repaired_is_one_sentence(
    filled: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = filled / "gallery.sqlite"
    data = path.read_bytes()
    path.write_bytes(data[:100] + bytes(3996) + data[4096:])

    def failing(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with Gallery.open(filled, GridModel()) as gallery:
        with monkeypatch.context() as patch:
            patch.setattr(os, call, failing)
            with pytest.raises(GalleryError, match=r"\(Input/output error\); is its disk full or failing\? What was"):
                gallery.rebuild()
        gallery.rebuild()
        assert len(gallery.search(text="red", k=200)) == 150


def test_an_error_of_the_model_leaves_whole_batches(
    gallery: Gallery, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(photos, 10)
    put(photos / "later.png", b"x")
    calls = [0]
    real = GridModel.encode_photos

    def fails_from_the_third_on(self: GridModel, batch: object) -> object:
        calls[0] += 1
        if calls[0] >= 3:
            raise GalleryError("the model is damaged")  # if it encoded a grey picture, the photos would be the failures
        return real(self, batch)  # type: ignore[arg-type]

    with monkeypatch.context() as broken:
        broken.setattr(GridModel, "encode_photos", fails_from_the_third_on)
        with pytest.raises(GalleryError, match="the model is damaged"):
            gallery.add(photos, batch=3)
    assert gallery.stats().photos == 6
    assert counts(gallery.add(photos)) == {"added": 4, "unchanged": 6, "failed": 1}
