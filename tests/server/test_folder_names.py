import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.server.folder_names import FolderNames

NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: not {0, 47} & set(name) and name not in (b".", b".."))


def test_folders_are_named_by_their_last_part() -> None:
    names = FolderNames([Path("/home/me/Pictures"), Path("/mnt/old")])
    assert names.split(Path("/home/me/Pictures/2024/x.jpg")) == ("Pictures/2024", "x.jpg")
    assert names.split(Path("/home/me/Pictures/x.jpg")) == ("Pictures", "x.jpg")
    assert names.file(Path("/mnt/old/x.jpg")) == "old/x.jpg"
    assert names.find("Pictures/2024") == Path("/home/me/Pictures/2024")


def test_names_that_are_alike_get_as_many_parents_as_it_takes() -> None:
    folders = [Path("/a/x/Pictures"), Path("/b/x/Pictures"), Path("/c/Pictures"), Path("/Pictures"), Path("/")]
    names = FolderNames(folders)
    assert [*names.by_name][:3] == ["a/x/Pictures", "b/x/Pictures", "c/Pictures"]
    assert len(names.by_name) == 5
    for name, folder in names.by_name.items():
        assert names.find(name) == folder


def test_a_folder_inside_another_is_named_for_itself() -> None:
    names = FolderNames([Path("/a"), Path("/a/b")])
    assert names.split(Path("/a/b/c/x.jpg")) == ("b/c", "x.jpg")
    assert names.split(Path("/a/c/x.jpg")) == ("a/c", "x.jpg")


@pytest.mark.parametrize(
    "name",
    [
        *("", "/", "..", "Pictures/..", "Pictures/../x", "Pictures/", "Pictures//x", "Pictures/./x", "/home", "Pic"),
        *(r"Pictures/\ud800", "Pictures/\ud800", r"Pictures/\U00110000"),
    ],
)
def test_nothing_else_is_a_folder(name: str) -> None:
    assert FolderNames([Path("/home/me/Pictures")]).find(name) is None


@given(st.lists(NAMES, max_size=4), NAMES)
def test_every_name_a_system_allows_finds_its_folder_again(parts: list[bytes], last: bytes) -> None:
    root = Path("/photos")
    names = FolderNames([root])
    folder = root.joinpath(*map(os.fsdecode, parts))
    shown, name = names.split(folder / os.fsdecode(last))
    assert (shown + name).isprintable()
    found = names.find(shown)
    escaped = any(b"\\" in part for part in parts)  # a name that looks like an escape may be taken for one
    assert escaped or found == folder
    assert found is None or found.is_relative_to(root)


@given(st.text(max_size=40))
def test_what_is_found_is_always_inside(text: str) -> None:
    for name in (text, f"photos/{text}"):
        found = FolderNames([Path("/photos")]).find(name)
        assert found is None or Path(os.path.normpath(found)).is_relative_to("/photos")
