"""Paths that mean the same on every machine, and back."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.gallery import GalleryError
from sketchseek.gallery.roots import ROOTS, Place, Roots, decoded, encoded, named

PARTS = st.binary(min_size=1, max_size=12).filter(
    lambda part: part not in (b".", b"..") and not set(part) & set(b"/\0")
)
WAYS = st.lists(PARTS, min_size=1, max_size=4).map(b"/".join)


@given(WAYS)
def test_every_way_survives_as_plain_text(way: bytes) -> None:
    text = encoded(way)
    assert decoded(text) == way
    assert text.isprintable()
    assert not set(text) & set("\"'\\%")
    text.encode("utf-8")


@given(WAYS, WAYS)
def test_what_is_in_a_folder_is_between_its_bounds(folder: bytes, way: bytes) -> None:
    inside = encoded(folder + b"/" + way)
    assert encoded(folder) + "/" <= inside < encoded(folder) + "0"
    outside = encoded(folder + b"x/" + way)
    assert not encoded(folder) + "/" <= outside < encoded(folder) + "0"


def test_ordinary_names_stay_readable() -> None:
    assert encoded("Urlaub 2024/Größe_1.jpg".encode()) == "Urlaub 2024/Größe_1.jpg"
    assert encoded(b'a"b\\c%d=e\nf\xff') == "a=22b=5Cc=25d=3De=0Af=FF"


@pytest.mark.parametrize("text", ["../x", "a/../../etc", "/etc", "a//b", ".", "a/=2E=2E/b", "=00", ""])
def test_a_way_out_of_its_root_is_none(text: str) -> None:
    assert decoded(text) is None


def test_the_longest_root_counts(tmp_path: Path) -> None:
    roots = Roots({"all": tmp_path, "mine": tmp_path / "photos"})
    assert roots.place(tmp_path / "photos" / "a" / "b.jpg") == Place("mine", b"a/b.jpg")
    assert roots.place(tmp_path / "photos") == Place("mine", b"")
    assert roots.place(tmp_path / "photosx" / "b.jpg") == Place("all", b"photosx/b.jpg")
    for place in (Place("mine", b"a/b.jpg"), Place("all", b"x"), Place("mine", b"")):
        assert roots.place(roots.path(place)) == place


def test_a_root_that_is_not_known_here_is_shown_by_its_name(tmp_path: Path) -> None:
    roots = Roots({})
    assert roots.path(Place("mine", b"a/b.jpg")) == b"mine/a/b.jpg"
    assert roots.place("mine/a") == Place("mine", b"a")
    with pytest.raises(GalleryError, match="is in no root folder"):
        roots.place(tmp_path)
    with pytest.raises(GalleryError, match="without dots"):
        roots.place("mine/../a")


def test_roots_come_from_options_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ROOTS, os.pathsep.join(["a=/x", "b=/y:z"]))
    assert named(["b=/other", "c=/w=1"]) == {"a": "/x", "b": "/other", "c": "/w=1"}
    assert named() == {"a": "/x", "b": "/y:z"}
    with pytest.raises(GalleryError, match="'photos' does not name a root; write NAME=FOLDER"):
        named(["photos"])
    with pytest.raises(GalleryError, match="is not a name for a root"):
        Roots({"a b": "/x"})
