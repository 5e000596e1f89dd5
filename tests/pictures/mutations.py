"""Hostile pictures made from good ones: seeded, of every format that this machine opens."""

import json
import random
import struct
import zlib
from collections.abc import Callable
from importlib.util import find_spec

from PIL import Image

from tests.pictures.corpus import corpus, saved, scene, svg, thin_png
from tests.pictures.raw import dng, raf
from tests.server.uploads import CORNER

EXTREME = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0xFFFF,
    10**5,
    10**6,
    2 * 10**8,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
)
HEAD = 256  # bytes in which most numbers of a header lie
Mutation = Callable[[bytearray, random.Random], object]


def good_pictures() -> dict[str, bytes]:
    """Name -> a small file of every format, drawings as well."""
    rgb = Image.fromarray(scene())
    exif = Image.Exif()
    exif[274] = 6
    exif.get_ifd(0x8769)[36867] = "2024:01:02 03:04:05"
    files = corpus() | {
        "exif.jpg": saved(rgb, "JPEG", exif=exif),
        "exif.png": saved(rgb, "PNG", exif=exif),
        "exif.webp": saved(rgb, "WEBP", exif=exif),
        "lines.svg": svg('<path d="M1 1 C 8 8 20 30 90 50" stroke="black" fill="none"/><circle r="9"/>'),
        "strokes.json": CORNER.encode(),
        "quickdraw.ndjson": json.dumps({"word": "cat", "drawing": [[[0, 9, 50], [3, 80, 7]]]}).encode(),
    }
    if find_spec("pillow_heif"):  # which encodes, unlike the decoder that sketchseek installs
        from tests.pictures.test_heif import heic

        files["photo.heic"] = heic(6)
    preview = saved(Image.fromarray(scene(320, 240)), "JPEG", quality=90)
    return files | {"photo.dng": dng(preview, 3), "photo.raf": raf(preview)}


def flipped_bits(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def other_bytes(data: bytearray, rng: random.Random) -> None:
    place = _place(data, rng)
    length = min(rng.choice((1, 4, 16, 200)), len(data) - place)
    data[place : place + length] = rng.randbytes(length)


def extreme_numbers(data: bytearray, rng: random.Random) -> None:
    """Sizes, offsets and counts that no file has."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        place, value = _place(data, rng), rng.choice(EXTREME)
        number = struct.pack(rng.choice("<>") + "I", value)
        if value < 2**16 and rng.random() < 0.5:
            number = struct.pack(rng.choice("<>") + "H", value)
        data[place : place + len(number)] = number


def lost_end(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def lost_part(data: bytearray, rng: random.Random) -> None:
    place = _place(data, rng)
    del data[place : place + rng.choice((1, 3, 50, 1000))]


def repeated_part(data: bytearray, rng: random.Random) -> None:
    place = _place(data, rng)
    data[place:place] = data[place : place + rng.choice((1, 8, 100))] * rng.choice((1, 2, 500))


def other_text(data: bytearray, rng: random.Random) -> None:
    """In formats that are text: numbers and tags of another kind."""
    words = (
        b"1e308",
        b"-1",
        b"NaN",
        b"99999999999999999999",
        b"[[[[",
        b"]]",
        b"<g>",
        b"</svg>",
        b'"',
        b"\xff\xfe",
        b"\0",
    )
    for _ in range(rng.choice((1, 2, 5))):
        place = _place(data, rng)
        data[place : place + rng.choice((0, 1, 4))] = rng.choice(words)


MUTATIONS: tuple[Mutation, ...] = (
    flipped_bits,
    other_bytes,
    extreme_numbers,
    extreme_numbers,
    lost_end,
    lost_part,
    repeated_part,
    other_text,
)


def hostile_picture(good: dict[str, bytes], rng: random.Random) -> tuple[str, bytes]:
    """(name, content) of a picture that is damaged, extreme, or called what it is not."""
    if rng.random() < 0.03:
        sides = [rng.choice((1, 2, 64, 331, 4_000)), rng.choice((1, 5_000, 60_000, 900_000, 1_000_001))]
        rng.shuffle(sides)
        if sides[0] * sides[1] < 40_000_000:
            return "thin.png", thin_png(sides[0], sides[1], rng.randrange(255), grey=rng.random() < 0.5)
    name = rng.choice(sorted(good))
    data = bytearray(good[name])
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if data:
            rng.choice(MUTATIONS)(data, rng)
    if rng.random() < 0.1:  # two files in one
        other = good[rng.choice(sorted(good))]
        data[rng.randrange(1 + len(data)) :] = other[rng.randrange(len(other)) :]
    if name.endswith(".png") and rng.random() < 0.6:  # otherwise most damage ends at a checksum
        data = _with_checksums(data)
    if rng.random() < 0.1:
        name = rng.choice(sorted(good))
    return name, bytes(data)


def _place(data: bytearray, rng: random.Random) -> int:
    return rng.randrange(min(len(data), HEAD) if rng.random() < 0.6 else len(data)) if data else 0


def _with_checksums(data: bytearray) -> bytearray:
    """The chunks of a PNG with right checksums, as far as they go."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if at + 12 + length > len(data):
            break
        struct.pack_into(">I", data, at + 8 + length, zlib.crc32(data[at + 4 : at + 8 + length]))
        at += 12 + length
    return data
