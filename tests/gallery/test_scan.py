import os
from pathlib import Path

import pytest

from sketchseek.gallery.scan import is_photo, scan


def names(folder: Path, **options: object) -> set[str]:
    found = scan([os.fsencode(folder)], **options)  # type: ignore[arg-type]
    return {os.path.relpath(os.fsdecode(path), folder) for path in found.files}


def make(folder: Path, *files: str) -> None:
    for file in files:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_photos_are_told_by_their_suffix(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "b.JPEG", "c.txt", "d", "deep/er/e.png", ".jpg", "f.jpg.part", "g.CR2")
    assert names(tmp_path) == {"a.jpg", "b.JPEG", "deep/er/e.png", "g.CR2"}


@pytest.mark.parametrize(
    "junk", ["._a.jpg", ".Trashes/a.jpg", ".thumbnails/a.jpg", "@eaDir/a.jpg", "$RECYCLE.BIN/a.jpg", "__MACOSX/a.jpg"]
)
def test_what_systems_leave_behind_is_skipped(tmp_path: Path, junk: str) -> None:
    make(tmp_path, junk, "real.jpg")
    assert names(tmp_path) == {"real.jpg"}


def test_a_hidden_folder_named_outright_is_entered(tmp_path: Path) -> None:
    make(tmp_path / ".secret", "a.jpg")
    assert names(tmp_path / ".secret") == {"a.jpg"}


def test_links_in_circles_end_and_real_places_win(tmp_path: Path) -> None:
    make(tmp_path, "z-real/a.jpg")
    (tmp_path / "a-link").symlink_to(tmp_path / "z-real")
    (tmp_path / "z-real" / "up").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "nowhere")
    assert names(tmp_path) == {"z-real/a.jpg"}


def test_a_link_that_leads_out_is_followed(tmp_path: Path) -> None:
    make(tmp_path / "other", "a.jpg")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(tmp_path / "other")
    (inside / "b.jpg").symlink_to(tmp_path / "other" / "a.jpg")
    assert names(inside) == {"link/a.jpg", "b.jpg"}


def test_a_link_beside_its_photo_is_not_another_photo(tmp_path: Path) -> None:
    make(tmp_path / "real", "deep/photo.jpg")
    make(tmp_path / "away", "other.jpg")
    for link in ("again.jpg", "a.jpg", "deep/near.jpg"):
        (tmp_path / "real" / link).symlink_to(tmp_path / "real" / "deep" / "photo.jpg")
    for link in ("one.jpg", "two.jpg"):
        (tmp_path / "real" / link).symlink_to(tmp_path / "away" / "other.jpg")
    assert names(tmp_path / "real") == {"deep/photo.jpg", "one.jpg"}
    (tmp_path / "linked").symlink_to(tmp_path / "real")  # the folder's name may itself be a link
    assert names(tmp_path / "linked") == {"deep/photo.jpg", "one.jpg"}


def test_pipes_are_no_photos(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert names(tmp_path) == set()


def test_a_folder_given_twice_is_walked_once(tmp_path: Path) -> None:
    make(tmp_path, "in/a.jpg")
    found = scan([os.fsencode(tmp_path), os.fsencode(tmp_path / "in"), os.fsencode(tmp_path)])
    assert len(found.files) == 1


def test_skipped_folders_are_not_entered(tmp_path: Path) -> None:
    make(tmp_path, "gallery/cached.jpg", "a.jpg")
    assert names(tmp_path, skip=[tmp_path / "gallery"]) == {"a.jpg"}


def test_a_folder_that_cannot_be_listed_is_named_with_the_reason(tmp_path: Path) -> None:
    missing = os.fsencode(tmp_path / "missing")
    assert "No such file" in scan([missing]).blocked[missing]


def test_sizes_times_and_devices_are_those_of_the_files(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg")
    status = (tmp_path / "a.jpg").stat()
    assert scan([os.fsencode(tmp_path)]).files == {
        os.fsencode(tmp_path / "a.jpg"): (status.st_size, status.st_mtime_ns, status.st_dev)
    }


def test_names_that_are_no_text_are_names() -> None:
    assert is_photo(b"\xff\xfe.jpg")
    assert is_photo(b"line\nend.PNG")
