"""Several processes and threads, read-only media, a full disk."""

import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sketchseek.gallery import Gallery, GalleryBusyError, GalleryError
from sketchseek.gallery.ingest import Progress
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, png, put
from tests.gallery.test_ingest import counts

ROOT = Path(__file__).parent.parent.parent


def test_a_reader_never_sees_half_a_batch(tmp_path: Path, photos: Path) -> None:
    """Batches of 7 photos, readers all the time: what is found is always a multiple of 7, and only grows."""
    fill(photos, 210)
    path = tmp_path / "gallery"
    Gallery.open(path, GridModel()).close()
    ended, looked = threading.Event(), threading.Event()
    trouble: list[BaseException] = []
    sizes: list[list[int]] = [[], [], []]

    def read(seen: list[int]) -> None:
        try:
            with Gallery.open(path, GridModel(), readonly=True) as reader:
                while not ended.is_set() or not seen or seen[-1] != 210:
                    hits = reader.search(text="red", k=300, look="direct")
                    seen.append(len(hits))
                    if 0 < len(hits) < 210:
                        looked.set()
                    assert len(hits) % 7 == 0
                    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        except BaseException as error:
            trouble.append(error)

    def wait_for_a_reader(so_far: Progress) -> None:
        if so_far.encoded >= 70:
            looked.wait(60)

    readers = [threading.Thread(target=read, args=(seen,)) for seen in sizes]
    for thread in readers:
        thread.start()
    with Gallery.open(path, GridModel()) as writer:
        writer.add(photos, batch=7, threads=1, progress=wait_for_a_reader)
    ended.set()
    for thread in readers:
        thread.join(60)
    assert not trouble
    assert all(seen == sorted(seen) for seen in sizes)
    assert any(0 < size < 210 for seen in sizes for size in seen), "no reader looked while the writer wrote"


def test_one_gallery_serves_many_threads(gallery: Gallery, photos: Path) -> None:
    fill(photos, 60)
    gallery.add(photos)
    expected = [gallery.search(photo=png(seed), k=5) for seed in range(8)]
    found: dict[int, list[object]] = {}

    def ask(seed: int) -> None:
        found[seed] = [gallery.search(photo=png(seed), k=5) for _ in range(10)]

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    gallery.add(photos)
    for thread in threads:
        thread.join(60)
    assert all(found[seed] == [expected[seed]] * 10 for seed in range(8))


def test_a_second_writer_gets_a_sentence(gallery: Gallery, photos: Path) -> None:
    fill(photos, 3)
    errors: list[GalleryBusyError] = []
    child: list[subprocess.CompletedProcess[str]] = []

    def during(_: object) -> None:
        with Gallery.open(gallery.path, GridModel()) as other:
            try:
                other.add(photos)
            except GalleryBusyError as error:
                errors.append(error)
        command = [
            sys.executable,
            "-m",
            "tests.gallery.run_cli",
            "index",
            str(photos),
            "--gallery",
            str(gallery.path),
            "--model",
            "plain",
        ]
        if not child:
            child.append(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False))

    assert gallery.add(photos, progress=during).added == 3
    assert "another process is writing to the gallery" in str(errors[0])
    assert child[0].returncode == 1
    assert child[0].stderr.startswith("sketchseek: another process is writing to the gallery")
    assert child[0].stderr.count("\n") == 1
    assert counts(gallery.add(photos)) == {"unchanged": 3}


def test_the_lock_goes_with_its_process(gallery: Gallery, photos: Path) -> None:
    """A killed writer leaves the lock's file, but not the lock."""
    fill(photos, 2)
    script = (
        "import os, sys; from sketchseek.gallery import Gallery; from tests.gallery.grid_model import GridModel;"
        "Gallery.open(sys.argv[1], GridModel()).add(sys.argv[2], progress=lambda _: os.kill(os.getpid(), 9))"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(gallery.path), str(photos)], cwd=ROOT, check=False)
    assert killed.returncode == -9
    assert gallery.add(photos).added == 2


def test_opened_for_reading_nothing_is_written(gallery: Gallery, photos: Path) -> None:
    fill(photos, 2)
    with Gallery.open(gallery.path, GridModel(), readonly=True) as reader:
        for write in (lambda: reader.add(photos), lambda: reader.remove(photos), reader.rebuild):
            with pytest.raises(GalleryError, match="was opened for reading only"):
                write()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_keeps_what_was_committed(disk: Path, photos: Path) -> None:
    fill(photos, 3000)
    with Gallery.open(disk / "gallery", GridModel()) as gallery:
        with pytest.raises(GalleryError, match="no space is left for the gallery"):
            gallery.add(photos, batch=16)
        kept = gallery.stats().photos
        assert kept >= 16
        assert len(gallery.search(text="red", k=5000)) == kept
        assert gallery.verify() == []
    subprocess.run(["mount", "-o", "remount,size=30m", disk], check=True)
    with Gallery.open(disk / "gallery", GridModel()) as gallery:
        assert counts(gallery.add(photos)) == {"added": 3000 - kept, "unchanged": kept}
        assert gallery.verify() == []


def test_files_that_may_not_grow_are_one_sentence(tmp_path: Path, photos: Path) -> None:
    """A quota of another kind, in a process of its own."""
    fill(photos, 600)
    limit = 200_000

    def bounded() -> None:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [
        sys.executable,
        "-m",
        "tests.gallery.run_cli",
        "index",
        str(photos),
        "--gallery",
        str(tmp_path / "g"),
        "--model",
        "plain",
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, preexec_fn=bounded, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("sketchseek: ")
    assert ended.stderr.count("\n") == 1
    with Gallery.open(tmp_path / "g", GridModel()) as gallery:
        kept = gallery.stats().photos
        assert 0 < kept < 600
        assert counts(gallery.add(photos)) == {"added": 600 - kept, "unchanged": kept}


def test_a_gallery_on_read_only_media_is_searched(disk: Path, photos: Path) -> None:
    fill(photos, 20)
    with Gallery.open(disk / "gallery", GridModel()) as gallery:
        gallery.add(photos)
        expected = gallery.search(text="red")
    for path in (disk / "gallery").glob("index-*"):
        path.unlink()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with Gallery.open(disk / "gallery", GridModel(), readonly=True) as gallery:
        assert gallery.search(text="red") == expected
        assert gallery.verify() == []
        assert gallery.stats().photos == 20
    with Gallery.open(disk / "gallery", GridModel()) as gallery:
        assert gallery.search(text="red") == expected
        with pytest.raises(GalleryError, match="cannot be opened for writing"):
            gallery.add(photos)


def test_a_place_that_cannot_be_written_is_one_sentence(disk: Path, photos: Path) -> None:
    put(photos / "a.png", png(1))
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(GalleryError, match="cannot be opened for writing; check its permissions"):
        Gallery.open(disk / "gallery", GridModel())


def test_photos_on_read_only_media_are_indexed(disk: Path, gallery: Gallery) -> None:
    fill(disk / "photos", 5)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert gallery.add(disk / "photos").added == 5


def test_an_unmounted_drive_keeps_its_photos(disk: Path, gallery: Gallery) -> None:
    """The real thing: the mount point stays, empty."""
    fill(disk, 5)
    gallery.add(disk)
    subprocess.run(["umount", "-l", disk], check=True)
    try:
        report = gallery.add(disk)
        assert report.removed == 0
        assert "is its drive mounted?" in report.failed[0].reason
        assert not list(disk.iterdir())
        assert len(gallery.search(text="red")) == 5
    finally:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", disk], check=True)
