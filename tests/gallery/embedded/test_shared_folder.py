"""What other processes, and readers without permission to write, see of a gallery's folder."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from sketchseek.gallery import Gallery, GalleryError
from sketchseek.gallery.embedded.writer import Writer, write_lock
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Path]:
    """The folder of the gallery, seen through a mount that cannot be written: as by a user without permission."""
    place = tmp_path / "window"
    place.mkdir()
    (tmp_path / "gallery").mkdir()
    if subprocess.run(["mount", "--bind", tmp_path / "gallery", place], capture_output=True, check=False).returncode:
        pytest.skip("mounting needs root")
    subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def index_elsewhere(gallery: Path, photos: Path) -> None:
    """As another process does."""
    command = [sys.executable, "-m", "tests.gallery.run_cli", "index", str(photos), "--gallery", str(gallery)]
    subprocess.run([*command, "--model", "plain"], cwd=ROOT, check=True, capture_output=True)


def test_a_reader_without_permission_sees_new_photos(window: Path, tmp_path: Path, photos: Path) -> None:
    fill(photos, 3)
    index_elsewhere(tmp_path / "gallery", photos)
    with Gallery.open(window, GridModel(), readonly=True) as reader:
        assert len(reader.search(text="red")) == 3
        fill(photos, 2, first=10)
        index_elsewhere(tmp_path / "gallery", photos)
        assert len(reader.search(text="red")) == 5
        (photos / "00000.png").unlink()
        index_elsewhere(tmp_path / "gallery", photos)
        assert len(reader.search(text="red")) == 4


def test_a_reader_without_permission_sees_photos_while_they_are_indexed(
    window: Path, tmp_path: Path, photos: Path
) -> None:
    fill(photos, 3)
    index_elsewhere(tmp_path / "gallery", photos)
    with Gallery.open(window, GridModel(), readonly=True) as reader:
        assert reader.stats().photos == 3
        writer = Writer(tmp_path / "gallery")
        for number in range(5):
            with writer.batch():
                content = writer.add_content(bytes([number]) * 32, 1, 1, None)
                writer.set_file(b"/photos/%d.png" % number, 1, 1, content, None)
            assert reader.stats().photos == 4 + number
        writer.close()
        assert reader.stats().photos == 8


@pytest.mark.parametrize("readonly", [False, True])
def test_no_log_is_left_after_a_clean_end(gallery: Gallery, photos: Path, readonly: bool) -> None:
    fill(photos, 3)
    gallery.add(photos)
    gallery.close()
    with Gallery.open(gallery.path, GridModel(), readonly=readonly) as reader:
        reader.search(text="red")
    left = {path.name for path in Path(gallery.path).iterdir()}
    assert {name for name in left if not name.startswith("index-")} == {"gallery.sqlite", "write.lock"}


def test_no_log_is_left_by_commands(tmp_path: Path, photos: Path) -> None:
    fill(photos, 3)
    index_elsewhere(tmp_path / "gallery", photos)
    assert not list((tmp_path / "gallery").glob("gallery.sqlite-*"))


def test_the_log_stays_while_another_reader_needs_it(gallery: Gallery, photos: Path) -> None:
    fill(photos, 3)
    with Gallery.open(gallery.path, GridModel(), readonly=True) as reader:
        assert reader.stats().photos == 0
        gallery.add(photos)
        gallery.close()
        assert reader.stats().photos == 3
    assert not list(Path(gallery.path).glob("gallery.sqlite-*"))


def test_a_gallery_that_is_closed_at_the_same_time_does_not_stop_a_writer(
    gallery: Gallery, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing takes the write lock for a moment."""
    import threading

    fill(photos, 3)
    monkeypatch.setattr("sketchseek.gallery.embedded.gallery.write_lock", partial(write_lock, wait=60))
    held = threading.Event()

    def hold() -> None:
        with write_lock(Path(gallery.path)):
            held.set()
            threading.Event().wait(0.3)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    assert gallery.add(photos).added == 3
    thread.join(10)


def test_an_empty_set_of_vectors_is_never_searched_by_default(tmp_path: Path, photos: Path) -> None:
    """Both first runs were killed: that of one model after a batch, that of another before."""
    fill(photos, 3)
    writer = Writer(tmp_path / "gallery")
    with writer.batch():
        first = writer.add_model("grid/1/first", "grid-first", "grid-first", 65)
        content = writer.add_content(bytes(32), 16, 16, None)
        writer.add_vector(first.row, content, GridModel("first").encode_texts(["red"])[0])
        writer.set_file(b"/photos/a.png", 1, 1, content, None)
        writer.add_model("grid/1/second", "grid-second", "grid-second", 65)
    assert writer.current_model() == first
    with writer.batch():
        writer.use_model(2)
    assert writer.current_model() == first
    with writer.batch():
        writer.remove_under(b"/photos")
        writer.drop_orphans()
    current = writer.current_model()
    assert current is not None, "of sets that are all empty one is chosen as before"
    assert current.name == "grid-second"
    writer.close()


def test_a_folder_that_is_no_gallery_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="there is no gallery in"):
        Gallery.open(tmp_path / "nothing", readonly=True)
    assert not (tmp_path / "nothing").exists()
