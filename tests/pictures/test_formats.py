"""The table of formats: every row can be opened, and bytes belong to the row they should."""

import pytest
from PIL import Image

from sketchseek.pictures import PHOTO_SUFFIXES, SKETCH_SUFFIXES, supported_formats
from sketchseek.pictures.decoding import DECODERS
from sketchseek.pictures.formats import AVIF, FORMATS, HEIF, QUICKDRAW, RAW, SVG, TIFF, WEBP, Format, format_of
from sketchseek.pictures.sketch import PARSERS


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_every_format_has_one_way_to_be_opened(format: Format) -> None:
    assert [format.pillow != "", format.name in DECODERS, format.name in PARSERS].count(True) == 1
    assert format.drawing == (format.name in PARSERS)
    if format.pillow:
        Image.init()
        assert format.pillow_format in Image.OPEN


def test_names_and_suffixes_belong_to_one_format() -> None:
    assert len({format.name for format in FORMATS}) == len(FORMATS)
    assert len(SKETCH_SUFFIXES) == sum(len(format.suffixes) for format in FORMATS)
    assert {".svg", ".ndjson", ".json"} == SKETCH_SUFFIXES - PHOTO_SUFFIXES
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in SKETCH_SUFFIXES)


@pytest.mark.parametrize(
    ("data", "name", "format"),
    [
        (b"II*\0\x08\0\0\0\0\0", "x.tif", TIFF),
        (b"II*\0\x08\0\0\0\0\0", "x.NEF", RAW),
        (b"II*\0\x10\0\0\0CR\2\0", "x", RAW),
        (b"RIFF\0\0\0\0WEBPVP8 ", "", WEBP),
        (b"RIFF\0\0\0\0WAVEfmt ", "x.webp", None),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "", AVIF),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "", HEIF),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "", RAW),
        (b"\0\0\0\x10ftypisom\0\0\0\0heic", "", None),  # behind the list of brands
        (b"\xef\xbb\xbf <?xml version='1.0'?><s:svg>", "", SVG),
        ("<svg>".encode("utf-16"), "", SVG),
        (b"<html>", "x.svg", None),
        (b' {"drawing": []}', "", QUICKDRAW),
        (b"", "x.jpg", None),
    ],
)
def test_content_decides_the_format(data: bytes, name: str, format: Format | None) -> None:
    assert format_of(data, name) is format


def test_every_extra_is_installed_for_the_tests() -> None:
    assert all(supported_formats().values())


def test_a_missing_package_or_codec_is_noticed() -> None:
    assert not Format("x", (), package="no_such_module").supported
    assert Format("x", ()).supported
