"""Files in more pieces than a picture needs: each small, each minutes or gigabytes to a decoder that walks them."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from sketchseek.pictures import PictureError, load_photo
from tests.pictures.corpus import corpus, saved, scene

CORPUS = corpus()
PHOTO = Image.fromarray(scene())


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def before_pixels(data: bytes, inserted: bytes) -> bytes:
    """A PNG with something before its pixels, or a JPEG with something after its first marker."""
    at = data.index(b"IDAT") - 4 if data.startswith(b"\x89PNG") else 2
    return data[:at] + inserted + data[at:]


def directory(*entries: tuple[int, int, int, int], big: bool = False) -> bytes:
    if big:
        rows = b"".join(struct.pack("<HHQQ", *entry) for entry in entries)
        return b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, len(entries)) + rows + bytes(8)
    rows = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + rows + bytes(4)


def scans(data: bytes, times: int) -> bytes:
    """A progressive JPEG whose last scan comes ``times`` times more."""
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * times + data[-2:]


PROGRESSIVE = CORPUS["progressive.jpg"]
TILE = [(256, 4, 1, 4), (257, 4, 1, 4), (322, 4, 1, 30_000), (323, 4, 1, 30_000)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (scans(PROGRESSIVE, 200), "more than 100 scans"),
        (scans(PROGRESSIVE[:-2] + segment(0xFE, b"\xff\xd9") + b"\xff\xd9", 200), "more than 100 scans"),
        (scans(PROGRESSIVE[:-2] + b"\xff\xfe\0\2" * 6_000 + b"\xff\xd9", 0), "scans"),
        (before_pixels(CORPUS["rgb.jpg"], b"\xff\xfe\0\2" * 6_000), "data before its pixels"),
        (before_pixels(CORPUS["rgb.jpg"], segment(0xE1, b"Exif\0\0" + bytes(65_000)) * 600), "data before its pixels"),
        (before_pixels(CORPUS["rgb.jpg"], b"\xff" * 6_000), "data before its pixels"),
        (before_pixels(CORPUS["rgb.png"], chunk(b"abCd") * 2_000), "more pieces"),
        (before_pixels(CORPUS["rgb.png"], chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(99_999))) * 2_000), "pieces"),
        (before_pixels(CORPUS["rgb.png"], chunk(b"fdAT", bytes(4)) + chunk(b"abCd") * 2_000), "more pieces"),
        (before_pixels(CORPUS["rgb.png"], chunk(b"IDAT") * 200_001), "more pieces"),
        (CORPUS["rgb.png"][:-12] + chunk(b"abCd") * 2_000 + chunk(b"IEND"), "more pieces"),
        (directory(*TILE), "larger than the picture"),
        (directory(*TILE, big=True), "larger than the picture"),
        (directory(*TILE, (322, 4, 1, 16), (323, 4, 1, 16)), "larger than the picture"),
        (directory((324, 4, 900_000, 8)), "more than 200000 pieces"),
        (directory((273, 4, 900_000, 8), big=True), "more than 200000 pieces"),
        (directory(*((tag, 7, 1_000_000, 8) for tag in range(1_000, 6_000))), "more than 4096 tags"),
    ],
)
def test_too_many_pieces_are_refused(data: bytes, said: str) -> None:
    with pytest.raises(PictureError, match=said) as caught:
        load_photo(data, name="p")
    assert str(caught.value).startswith("p: ")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (scans(PROGRESSIVE, 2), "progressive.jpg"),
        # A phone's film behind the picture holds whatever it holds.
        (PROGRESSIVE + b"\xff\xda" * 500, "progressive.jpg"),
        (CORPUS["rgb.jpg"] + b"\xff\xda" * 500, "rgb.jpg"),
        # So does the thumbnail in its EXIF.
        (before_pixels(PROGRESSIVE, segment(0xE5, b"\xff\xda" * 500)), "progressive.jpg"),
        (before_pixels(CORPUS["rgb.jpg"], segment(0xE5, bytes(60_000)) * 100), "rgb.jpg"),
        (before_pixels(CORPUS["rgb.png"], chunk(b"abCd", bytes(99)) * 500), "rgb.png"),
        (saved(PHOTO, "JPEG", quality=95, restart_marker_blocks=1), "rgb.jpg"),
    ],
)
def test_what_programs_write_is_not(data: bytes, name: str) -> None:
    assert np.abs(load_photo(data).astype(int) - load_photo(CORPUS[name])).mean() < 3
