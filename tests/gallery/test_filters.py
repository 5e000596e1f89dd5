"""Filters by file name, kind and camera, alone and together, against a look at every photo."""

import itertools
from pathlib import Path
from typing import Any, get_args

import pytest
from PIL import Image

from sketchseek.gallery import Gallery, GalleryError
from sketchseek.gallery.filters import KINDS, Filters, Kind, file_kind, file_name
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import png, put

CAMERAS = {"Holiday 1.JPG": "Acme One", "b/holiday 2.jpeg": 'O"Brien \\ Two', "b/Straße.jpg": "Acme One"}
NAMES = [*CAMERAS, "b/holiday 3.png", "plain.PNG", "c/IMG_1.png"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for number, name in enumerate(NAMES):
        put(folder / name, png(number))
        if name in CAMERAS:
            exif = Image.Exif()
            exif[272] = CAMERAS[name]
            Image.new("RGB", (16, 16), (40 * number, 9, 9)).save(folder / name, "JPEG", exif=exif)
    put(folder / "copies" / "other name.png", png(NAMES.index("b/holiday 3.png")))
    return folder


def right(photos: Path, under: str | None, name: str | None, kind: str | None, camera: str | None) -> set[str]:
    """The first of the files of each photo that pass."""
    found: dict[bytes, str] = {}
    for path in sorted(photos.rglob("*.*")):
        relative = path.relative_to(photos).as_posix()
        if (
            (under is None or relative.startswith(f"{under}/"))
            and (name is None or name.casefold() in path.name.casefold())
            and (kind is None or path.suffix.lower() in KINDS[kind])
            and (camera is None or CAMERAS.get(relative) == camera)
        ):
            found.setdefault(path.read_bytes(), relative)
    return set(found.values())


def test_what_passes_is_found_and_listed(photos: Path, tmp_path: Path) -> None:
    with Gallery.open(tmp_path / "gallery", GridModel()) as gallery:
        gallery.add(photos)
        for under, name, kind, camera in itertools.product(
            (None, "b", "copies"),
            (None, "HOLIDAY", "STRASSE", "name", "\udcff"),
            (None, "jpeg", "png", "raw"),
            (None, "Acme One", CAMERAS["b/holiday 2.jpeg"], "acme"),
        ):
            folder = None if under is None else photos / under
            given: dict[str, Any] = {"under": folder, "name": name, "kind": kind, "camera": camera}
            expected = right(photos, under, name, kind, camera)
            hits = gallery.search(text="red", k=50, **given)
            assert {hit.path.relative_to(photos).as_posix() for hit in hits} == expected, given
            filters = Filters(**given)
            sections = gallery.sections(filters)
            assert len(sections) <= 1
            listed = [hit for one in sections for hit in gallery.section_page(one.pages[0], 50, filters)]
            assert {hit.path.relative_to(photos).as_posix() for hit in listed} == expected, given
            assert sum(one.count for one in gallery.folder_sections(filters)) >= len(expected)
            for one in gallery.folder_sections(filters):
                shown = gallery.folder_page(one.folder or "", one.pages[0], 50, filters)
                assert len(shown) == one.count
                assert all(filters.fits(str(hit.path).encode(), None) for hit in shown)
        assert gallery.cameras() == {"Acme One": 2, CAMERAS["b/holiday 2.jpeg"]: 1}
        nothing = gallery.search(text="red", camera="none")
        assert (list(nothing), nothing.filtered) == ([], "no photo passes the filters.")
        with pytest.raises(GalleryError, match="kind is 'svg'; choose from jpeg, png"):
            gallery.search(text="red", kind="svg")


def test_every_format_of_photos_is_a_kind() -> None:
    assert get_args(Kind) == tuple(KINDS)


def test_names_that_are_no_text_are_compared_too() -> None:
    assert file_name(b"/a/\xff Caf\xc3\x89.JPG") == "\udcff café.jpg"
    assert (file_kind(b"/a/x.HEIC"), file_kind(b"/a/x.nef"), file_kind(b"/a/\xff.jpe")) == ("heif", "raw", "jpeg")
