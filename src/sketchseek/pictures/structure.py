"""Count the parts of a file before it is decoded: small files of very many parts would take minutes."""

import re
import struct
from typing import BinaryIO

from sketchseek.pictures.errors import PictureError
from sketchseek.pictures.formats import JPEG, PNG, TIFF, Format

# A baseline JPEG has one scan, a progressive one about ten; each costs a pass over the whole picture.
MAX_SCANS = 100
MAX_SEGMENTS = 5_000
MAX_HEADER = 32 * 2**20  # bytes before a JPEG's pixels: Pillow joins EXIF piece by piece and copies all of it each time

MAX_DATA_CHUNKS = 200_000  # a PNG's pixels usually come in chunks of 8 KiB or more
MAX_OTHER_CHUNKS = 1_000

MAX_TAGS = 4_096
MAX_PIECES = 200_000
_LARGE_TILE = 4096 * 4096  # px

_SIZE, _PIECES, _TILE = (256, 257), (273, 324), (322, 323)  # TIFF tags: of the picture, strips and tiles, a tile

# Inside compressed data 0xff is followed by 0 or by a restart's d0 to d7.
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_SCAN, _END, _PROGRESSIVE = 0xDA, 0xD9, {0xC2, 0xC6, 0xCA, 0xCE}
_FRAMES = _PROGRESSIVE | {0xC0, 0xC1, 0xC3, 0xC5, 0xC7, 0xC9, 0xCB, 0xCD, 0xCF}
_BARE = {0x01, *range(0xD0, 0xDA)}  # markers without content


def check_structure(stream: BinaryIO, format: Format, name: str) -> bool:
    """Refuse files in more pieces than a picture needs; the decoder reports everything else that is wrong.

    Returns whether it is a JPEG of several scans, whose decoder keeps the whole picture.
    """
    check = {JPEG: _check_jpeg, PNG: _check_png, TIFF: _check_tiff}.get(format)
    several_scans = check is not None and check(stream, name)
    stream.seek(0)
    return several_scans


def _check_jpeg(stream: BinaryIO, name: str) -> bool:
    stream.seek(2)
    parts, progressive = 0, False
    for _ in range(MAX_SEGMENTS):
        at = stream.tell()
        head = stream.read(4)
        if len(head) < 4:
            return False
        if at > MAX_HEADER:
            break
        if head[0] != 0xFF or head[1] in (0, 0xFF):  # decoders skip such bytes one by one
            stream.seek(at + 1)
        elif head[1] in _BARE:
            stream.seek(at + 2)
        elif head[1] == _SCAN:
            if progressive or stream.read(1) != bytes([parts]):  # else the decoder stops after this one scan
                _check_scans(stream, name)
                return True
            return False
        else:
            if head[1] in _FRAMES:
                parts, progressive = (stream.read(6) or b"\0")[-1], head[1] in _PROGRESSIVE
            stream.seek(at + 2 + int.from_bytes(head[2:]))
    raise PictureError(name, "has more data before its pixels than any camera or program writes; save it again")


def _check_scans(stream: BinaryIO, name: str) -> None:
    """Count the scans of the first picture only: phones append films."""
    scans = 1
    for _ in range(MAX_SEGMENTS):
        marker = _next_marker(stream)
        if marker in (None, _END):
            return
        scans += marker == _SCAN
        if scans > MAX_SCANS:
            break
        if marker not in _BARE:
            stream.seek(max(0, int.from_bytes(stream.read(2)) - 2), 1)
    raise PictureError(name, f"has more than {MAX_SCANS} scans, more than any camera or program writes; save it again")


def _next_marker(stream: BinaryIO) -> int | None:
    """The code of the next marker; the stream is then just after it."""
    last = b""
    while block := stream.read(1 << 16):
        if found := _MARKER.search(last + block):
            stream.seek(found.end() - len(last) - len(block), 1)
            return found[0][1]
        last = block[-1:]
    return None


def _check_png(stream: BinaryIO, name: str) -> bool:
    stream.seek(8)
    others = 0
    for _ in range(MAX_DATA_CHUNKS):
        head = stream.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return False
        others += head[4:] not in (b"IDAT", b"fdAT", b"fcTL")
        if others > MAX_OTHER_CHUNKS:
            break
        stream.seek(int.from_bytes(head[:4]) + 4, 1)
    raise PictureError(name, "is in more pieces than any camera or program writes; save it again")


def _check_tiff(stream: BinaryIO, name: str) -> bool:
    head = stream.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = head[2:4] in (b"+\0", b"\0+")
    start, number, entry = ("Q", "Q", "HHQ8s") if big else ("I", "H", "HHI4s")
    try:
        stream.seek(struct.unpack_from(order + start, head, 8 if big else 4)[0])
        (tags,) = struct.unpack(order + number, stream.read(8 if big else 2))
        rows = stream.read(min(tags, MAX_TAGS + 1) * struct.calcsize("<" + entry))
        entries = list(struct.iter_unpack(order + entry, rows))
    except (struct.error, OSError, ValueError):  # cut short
        return False
    sides = dict.fromkeys((*_SIZE, *_TILE), 0)
    for tag, kind, count, value in entries:
        if tag in _PIECES and count > MAX_PIECES:
            raise PictureError(name, f"is in more than {MAX_PIECES} pieces; save it again")
        if tag in sides:
            width = {1: 1, 3: 2, 4: 4}.get(kind, 8)
            side = int.from_bytes(value[:width], "little" if order == "<" else "big")
            sides[tag] = max(sides[tag], side)
    if tags > MAX_TAGS:
        raise PictureError(name, f"has more than {MAX_TAGS} tags; save it again")
    # The decoder allocates a whole tile, however small the picture is.
    tile, picture = sides[322] * sides[323], sides[256] * sides[257]
    if tile > max(_LARGE_TILE, 2 * picture):
        raise PictureError(name, f"its tiles of {sides[322]} x {sides[323]} pixels are larger than the picture")
    return False
