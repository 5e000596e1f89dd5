"""Photos of a drive that is away are kept; photos that were deleted are removed."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sketchseek.gallery import Gallery
from sketchseek.gallery.copying import copy
from sketchseek.gallery.drives import Drives
from sketchseek.gallery.records import KnownFile
from sketchseek.gallery.scan import FoundFile
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, png, put
from tests.gallery.test_ingest import counts

Plug = Callable[[Path], None]


@pytest.fixture
def plug(tmp_path: Path) -> Iterator[tuple[Plug, Plug]]:
    """(mount, unmount): a drive with two photos at a folder; a bind mount of another file system."""
    inside = tmp_path / "drive"
    inside.mkdir()
    mounted: list[Path] = []
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", inside], capture_output=True, check=False).returncode:
        pytest.skip("mounting a drive needs root")
    fill(inside / "holiday", 2, first=100)

    def mount(place: Path) -> None:
        place.mkdir(exist_ok=True)
        subprocess.run(["mount", "--bind", inside, place], check=True)
        mounted.append(place)

    def unmount(place: Path) -> None:
        subprocess.run(["umount", "-l", place], check=True)
        mounted.remove(place)

    yield mount, unmount
    for place in [*mounted, inside]:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.parametrize("mount_point_stays", [True, False])
def test_a_drive_mounted_inside_an_indexed_folder_keeps_its_photos(
    gallery: Gallery, photos: Path, plug: tuple[Plug, Plug], mount_point_stays: bool
) -> None:
    mount, unmount = plug
    paths = fill(photos / "local", 3)
    mount(photos / "usb")
    assert counts(gallery.add(photos)) == {"added": 5}
    unmount(photos / "usb")
    if not mount_point_stays:
        (photos / "usb").rmdir()
    paths[0].unlink()  # beside it, deleting is deleting
    for _ in range(2):
        report = gallery.add(photos)
        assert [failure.path for failure in report.failed] == [photos / "usb" / "holiday"]
        assert "the drive of 2 files here is not mounted; they are kept" in report.failed[0].reason
        assert len(gallery.search(text="red")) == 4
    mount(photos / "usb")
    (photos / "usb" / "holiday" / "00100.png").unlink()
    assert counts(gallery.add(photos)) == {"removed": 1, "unchanged": 3}
    unmount(photos / "usb")
    assert gallery.remove(photos / "usb") == 1
    assert counts(gallery.add(photos)) == {"unchanged": 2}


def test_a_link_to_a_drive_that_is_away_keeps_its_photos(
    gallery: Gallery, photos: Path, tmp_path: Path, plug: tuple[Plug, Plug]
) -> None:
    mount, unmount = plug
    mount(tmp_path / "usb")
    (photos / "link.png").symlink_to(tmp_path / "usb" / "holiday" / "00100.png")
    (photos / "folder").symlink_to(tmp_path / "usb" / "holiday")
    put(photos / "here.png", png(1))
    assert counts(gallery.add(photos)) == {"added": 4}
    unmount(tmp_path / "usb")
    assert gallery.add(photos).removed == 0
    mount(tmp_path / "usb")
    for path in (tmp_path / "usb" / "holiday").iterdir():
        path.unlink()
    assert counts(gallery.add(photos)) == {"removed": 3, "unchanged": 1}


def known(device: int | None) -> KnownFile:
    return KnownFile(1, 1, 1, None, 1, device)


def test_a_drive_that_comes_back_with_another_number(tmp_path: Path) -> None:
    """Numbers of devices change; a file that is still there shows which became which."""
    here = tmp_path.stat().st_dev
    gone, there = os.fsencode(tmp_path / "gone.png"), os.fsencode(tmp_path / "there.png")
    assert not Drives({gone: known(here + 1)}, {}).is_deleted(gone)
    assert Drives({gone: known(here)}, {}).is_deleted(gone)
    assert Drives({gone: known(None)}, {}).is_deleted(gone), "an unknown device is no reason to keep a file"
    both = {gone: known(here + 1), there: known(here + 1)}
    drives = Drives(both, {there: FoundFile(1, 1, here)})
    assert drives.is_deleted(gone)
    assert drives.changed() == {there: here}
    assert drives.away([gone]) == []


def test_a_missing_file_far_down_asks_the_nearest_folder_there_is(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/a" * 1500 + b"/gone.png"  # deeper than recursion goes
    here = tmp_path.stat().st_dev
    assert Drives({path: known(here)}, {}).is_deleted(path)
    assert Drives({path: known(here + 1)}, {}).away([path]) == [(os.path.dirname(path), 1)]  # noqa: PTH120


def test_devices_are_remembered_and_copied(gallery: Gallery, photos: Path, tmp_path: Path) -> None:
    (path,) = fill(photos, 1)
    put(photos / "broken.png", b"x")
    gallery.add(photos)
    with Gallery.open(tmp_path / "copy", GridModel()) as target:
        copy(gallery, target)
        model = target.current_model()
        assert model is not None
        entries = [entry for page in target.entries(model) for entry in page]
    assert [entry.device for entry in entries] == [path.stat().st_dev] * 2


def test_a_gallery_without_devices_learns_them_from_unchanged_files(gallery: Gallery, photos: Path) -> None:
    """As after a migration from format 2."""
    from sketchseek.gallery.embedded.writer import Writer

    (path,) = fill(photos, 1)
    gallery.add(photos)
    writer = Writer(Path(gallery.path))
    with writer.batch():
        status = path.stat()
        writer.set_file(os.fsencode(path), status.st_size, status.st_mtime_ns, 1, None)
    assert writer.known(os.fsencode(photos), 1)[os.fsencode(path)].device is None
    assert counts(gallery.add(photos)) == {"unchanged": 1}
    assert writer.known(os.fsencode(photos), 1)[os.fsencode(path)].device == status.st_dev
    before = writer.head()
    assert counts(gallery.add(photos)) == {"unchanged": 1}
    assert writer.head() == before, "if nothing changed, nothing is written"
    writer.close()
