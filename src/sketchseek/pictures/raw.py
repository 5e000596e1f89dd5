"""Camera RAW by the JPEG that the camera stored beside the sensor's data: found in the file, or else by LibRaw.

Developing the sensor's data instead would take seconds for each file and look unlike what the camera showed.
"""

import io
import struct
from collections.abc import Iterator
from importlib.util import find_spec
from typing import BinaryIO, NamedTuple

from PIL import Image

from sketchseek.pictures.child import ChildError, run_in_child
from sketchseek.pictures.errors import MissingDecoderError, PictureError
from sketchseek.pictures.limits import check_size

LEAST_SIDE = 160  # px of a preview's shorter side; thumbnails of 160 x 120 are smaller than what models look at
SECONDS = 30  # of processor time for LibRaw
_MEMORY = 2 << 30
_MAX_DIRECTORIES, _MAX_ENTRIES = 64, 1024
_MAX_SEGMENTS = 1000  # in front of a JPEG's frame

_COMPRESSION, _STRIPS, _ORIENTATION, _STRIP_BYTES, _DEEPER, _JPEG, _JPEG_BYTES = 259, 273, 274, 279, 330, 513, 514
_PANASONIC = 46  # the JPEG itself as a value, in RW2
_WIDTHS = {3: 2, 4: 4, 13: 4}  # bytes of a value, by its kind: short, long, directory
_FUJI = b"FUJIFILMCCD-RAW"
_FRAMES = (0xC0, 0xC1, 0xC2)  # of JPEGs that Pillow decodes; sensors' data is compressed as lossless JPEG (0xC3)

# LibRaw's code of the camera's orientation -> EXIF orientation.
_FLIPS = {1: 2, 2: 4, 3: 3, 4: 5, 5: 8, 6: 6, 7: 7}

_SCRIPT = """
import rawpy
try:
    with rawpy.imread(io.BytesIO(sys.stdin.buffer.read())) as raw:
        flip, preview = raw.sizes.flip, raw.extract_thumb()
except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
    answer({})
except (rawpy.LibRawError, MemoryError) as error:
    text = error.args[0] if error.args else type(error).__name__
    sys.exit(text.decode(errors="replace") if isinstance(text, bytes) else str(text))
else:
    pixels = preview.format == rawpy.ThumbFormat.BITMAP
    shape = preview.data.shape if pixels else None
    answer({"flip": flip, "shape": shape}, preview.data.tobytes() if pixels else preview.data)
"""


class _Jpeg(NamedTuple):
    """A JPEG inside a file: where it lies, and its size in px."""

    at: int
    length: int
    width: int
    height: int


def raw_preview(stream: BinaryIO, name: str, max_pixels: int | None) -> tuple[Image.Image | io.BytesIO, int]:
    """The largest preview inside a camera file (a picture, or the bytes of a JPEG), and the EXIF orientation.

    LibRaw (the package rawpy) is needed only where no preview is found without it.
    """
    found, turn = embedded_jpeg(stream)
    if found is not None:
        return found, turn
    if find_spec("rawpy") is None:
        raise MissingDecoderError(name, "is camera RAW without a preview that can be cut out", "rawpy")
    stream.seek(0)
    try:
        head, body = run_in_child(_SCRIPT, ("rawpy", "numpy"), stream.read(), seconds=SECONDS, memory=_MEMORY)
    except ChildError as error:
        why = str(error) or "its decoder crashed, or took too much time or memory"
        raise PictureError(name, f"is damaged or cut short, or of an unusual kind ({why})") from None
    if not head:
        raise PictureError(name, "is camera RAW without a preview; export it as JPEG")
    turn = _FLIPS.get(head["flip"], 1)
    if head["shape"] is None:
        return io.BytesIO(body), turn
    height, width = head["shape"][:2]
    check_size((width, height), name, max_pixels)
    return Image.frombytes("RGB", (width, height), body), turn


def embedded_jpeg(stream: BinaryIO) -> tuple[io.BytesIO | None, int]:
    """(the largest JPEG that a camera file's directories name, EXIF orientation of the camera); None if there is none.

    For files built like TIFF (CR2, NEF, ARW, DNG, PEF, SRW, RW2 and others) and Fujifilm's RAF.
    """
    size = stream.seek(0, io.SEEK_END)
    turn, places = 1, list[tuple[int, int]]()
    try:
        head = _read(stream, 0, 16)
        if head.startswith(_FUJI):
            places.append(struct.unpack(">II", _read(stream, 84, 8)))
        else:
            for number, tags in enumerate(_directories(stream)):
                turn = (tags.get(_ORIENTATION) or [1])[0] if number == 0 else turn
                places += _places(tags)
    except (struct.error, ValueError):  # cut short: what was found so far counts
        pass
    frames = [frame for at, length in places if 0 < length <= size - at and (frame := _frame(stream, at, length))]
    best = max(frames, key=lambda one: one.width * one.height, default=None)
    if best is None or min(best.width, best.height) < LEAST_SIDE:
        return None, turn
    return io.BytesIO(_read(stream, best.at, best.length)), turn


def _directories(stream: BinaryIO) -> Iterator[dict[int, list[int]]]:
    """Tags with whole numbers of every directory of a TIFF, the first one first."""
    head = _read(stream, 0, 8)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None:
        return
    waiting, seen = [struct.unpack(order + "I", head[4:])[0]], set[int]()
    while waiting and len(seen) < _MAX_DIRECTORIES:
        at = waiting.pop(0)
        if at == 0 or at in seen:
            continue
        seen.add(at)
        count = min(struct.unpack(order + "H", _read(stream, at, 2))[0], _MAX_ENTRIES)
        rows = _read(stream, at + 2, 12 * count)
        tags = dict(_entry(stream, order, rows[12 * row : 12 * row + 12]) for row in range(count))
        yield tags
        waiting += tags.get(_DEEPER, [])
        waiting += struct.unpack(order + "I", _read(stream, at + 2 + 12 * count, 4))


def _entry(stream: BinaryIO, order: str, row: bytes) -> tuple[int, list[int]]:
    tag, kind, count = struct.unpack(order + "HHI", row[:8])
    if tag == _PANASONIC and kind == 7:
        return tag, [*struct.unpack(order + "I", row[8:]), count]
    width = _WIDTHS.get(kind)
    if width is None or not 1 <= count <= _MAX_DIRECTORIES:
        return tag, []
    values = row[8:] if width * count <= 4 else _read(stream, struct.unpack(order + "I", row[8:])[0], width * count)
    return tag, list(struct.unpack(order + ("H" if width == 2 else "I") * count, values[: width * count]))


def _places(tags: dict[int, list[int]]) -> list[tuple[int, int]]:
    """(offset, bytes) of the JPEGs that a directory names."""
    found = [*zip(tags.get(_JPEG, []), tags.get(_JPEG_BYTES, []), strict=False)]
    if tags.get(_COMPRESSION) in ([6], [7]) and len(tags.get(_STRIPS, [])) == 1:
        found += zip(tags[_STRIPS], tags.get(_STRIP_BYTES, []), strict=False)
    if at_and_length := tags.get(_PANASONIC):
        found.append((at_and_length[0], at_and_length[-1]))
    return found


def _frame(stream: BinaryIO, at: int, length: int) -> _Jpeg | None:
    """The JPEG at an offset with the size that its frame states; None if it is not one that Pillow decodes."""
    try:
        if _read(stream, at, 2) != b"\xff\xd8":
            return None
        place = at + 2
        for _ in range(_MAX_SEGMENTS):
            mark, code, size = struct.unpack(">BBH", _read(stream, place, 4))
            if mark != 0xFF or place > at + length:
                return None
            if 0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC):
                height, width = struct.unpack(">HH", _read(stream, place + 5, 4))
                return _Jpeg(at, length, width, height) if code in _FRAMES else None
            place += 2 + size
    except (struct.error, ValueError):
        return None
    return None


def _read(stream: BinaryIO, at: int, count: int) -> bytes:
    stream.seek(at)
    data = stream.read(count)
    if len(data) < count:
        raise ValueError("cut short")
    return data
