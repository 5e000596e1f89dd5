"""What a picture's header says: its size, and the memory that decoding it takes, before anything is decoded."""

import contextlib
import ctypes
import logging
from functools import cache
from importlib import import_module
from math import ceil
from typing import Any, BinaryIO

from PIL import ExifTags, Image, TiffImagePlugin

from sketchseek.pictures.formats import AVIF, HEIF, JPEG, RAW, TIFF, WEBP, Format

# Pillow logs damage that it also raises; without a handler, Python prints that to stderr, without the file's name.
logging.getLogger("PIL").addHandler(logging.NullHandler())

# A picture stays this much larger than the target, so that the later resize filters nearly as from the full size.
SPARE = 1.5
# Pixels that a reduced picture may keep whatever its shape; ordinary photos end far below.
LEAST_AREA = 8_000_000
LONGEST_SIDE = 1 << 15  # px of a reduced picture: a resize of a longer side needs large tables

# Bytes a pixel at the peak, measured by benchmarks/picture_memory.py: of the decoder, of Pillow's copy, and of the
# conversion to 8 bits, where modes need one.
PIXEL_BYTES = {WEBP: 17, AVIF: 14, HEIF: 14}
_BY_MODE = {"1": 2, "L": 1, "P": 5, "I;16": 6, "I": 13, "F": 13, "LA": 12, "PA": 12, "La": 12, "RGBA": 8, "RGBa": 12}
_OTHER_MODES = 4
_TRANSPARENT = 8  # more, for a transparent colour: the picture becomes RGBA
_REDUCED = 11  # bytes a pixel of the reduced picture: itself, its colours converted, the array
_BOXES = 1 << 20  # bytes of an ISO media file in which its sizes are looked for


class _Tiff(TiffImagePlugin.TiffImageFile):
    def load_prepare(self) -> None:
        if self._im is None:  # before Pillow checks the process-wide limit here as well
            self.im = Image.new(self.mode, self._tile_size, None).im
        super().load_prepare()


def open_header(stream: BinaryIO, format: Format) -> Image.Image:
    """The picture as Pillow's class of its format opens it, not decoded yet.

    ``Image.open`` would impose one pixel limit on the whole process.
    """
    if format is TIFF:
        _silence_libtiff()
        return _Tiff(stream)
    module = import_module(f"PIL.{format.pillow}ImagePlugin")
    image: Image.Image = getattr(module, f"{format.pillow}ImageFile")(stream)
    return image


@cache
def _silence_libtiff() -> None:
    """Libtiff prints errors to stderr without the file's name; Pillow reports them as exceptions as well."""
    with contextlib.suppress(OSError, AttributeError):  # builds that do not show libtiff's functions
        ctypes.CDLL(import_module("PIL._imaging").__file__).TIFFSetErrorHandler(None)


def stored_size(stream: BinaryIO, format: Format) -> tuple[int, int] | None:
    """(width, height) of the formats whose decoders allocate memory when they open a file; None: not found, or others.

    The stream is then at its start.
    """
    if format is WEBP:
        size = _webp_size(stream.read(30))
    elif format in (AVIF, HEIF):
        size = _largest_ispe(stream.read(_BOXES))
    else:
        return None
    stream.seek(0)
    return size


def _webp_size(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if len(head) < 30:
        return None
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF


def _largest_ispe(boxes: bytes) -> tuple[int, int] | None:
    """The largest of the sizes in "ispe" boxes: of the whole picture, where it is made of tiles."""
    sizes = []
    at = boxes.find(b"ispe")
    while at >= 0:
        sizes.append((int.from_bytes(boxes[at + 8 : at + 12]), int.from_bytes(boxes[at + 12 : at + 16])))
        at = boxes.find(b"ispe", at + 4)
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def late_exif(png: bytes) -> bytes | None:
    """The EXIF of a PNG if it comes after the pixels, where ``open_header`` does not look."""
    at, pixels_seen = 8, False
    while at + 8 <= len(png):
        size, kind = int.from_bytes(png[at : at + 4]), png[at + 4 : at + 8]
        pixels_seen |= kind == b"IDAT"
        if pixels_seen and kind == b"eXIf":
            return png[at + 8 : at + 8 + size]
        at += 12 + size
    return None


def use_draft(image: Image.Image, format: Format, target: int | None) -> None:
    """Let a JPEG's decoder skip frequencies that would be discarded: 1/2, 1/4 or 1/8 of the size in less time.

    A square, since its shorter side decides, whichever way EXIF turns the picture later.
    """
    if format is JPEG and target is not None:
        image.draft(None, (ceil(target * SPARE), ceil(target * SPARE)))


def factors(size: tuple[int, int], target: int | None) -> tuple[int, int]:
    """Whole factors by which to reduce a picture's (width, height), so that both sides keep what ``target`` needs.

    They are equal for ordinary shapes. The longer side of a very long, thin picture is reduced further.
    """
    if target is None:
        return 1, 1
    common = max(1, int(min(size) // (target * SPARE)))
    short, long = ceil(min(size) / common), ceil(max(size) / common)
    area = max(LEAST_AREA, int((4 * SPARE * target) ** 2))
    longest = min(max(area // short, 1), max(LONGEST_SIDE, int(4 * SPARE * target)))
    further = common * ceil(long / longest)
    return (further, common) if size[0] > size[1] else (common, further)


def memory_of(
    image: Image.Image, format: Format, full: tuple[int, int], several_scans: bool, target: int | None
) -> int:
    """Bytes that decoding takes at its peak, without the file: an estimate from above.

    ``image``: from ``open_header``, after ``use_draft``; ``full``: its (width, height) before. ``several_scans``: of a
    JPEG, whose decoder then keeps the whole picture. Without a target, what follows decoding is not counted.
    """
    width, height = image.size
    memory = width * height * _pixel_bytes(image, format)
    if target is not None:
        across, down = factors(image.size, target)
        memory += ceil(width / across) * ceil(height / down) * _REDUCED
    if several_scans:
        shares: list[int] = [part[1] * part[2] for part in getattr(image, "layer", [])]
        memory += 2 * full[0] * full[1] * (sum(shares) / max(1, *shares) if shares else 4)
    return ceil(memory)


def _pixel_bytes(image: Image.Image, format: Format) -> float:
    mode = "I;16" if image.mode.startswith("I;16") else image.mode
    each: float = PIXEL_BYTES.get(format) or _BY_MODE.get(mode, _OTHER_MODES)
    if format not in PIXEL_BYTES and "transparency" in image.info:
        each += _TRANSPARENT if mode != "P" else _TRANSPARENT / 2
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags: Any = image.tag_v2
        if tags.get(ExifTags.Base.Compression, 1) != 1:  # libtiff unpacks a whole strip
            bits: Any = tags.get(ExifTags.Base.BitsPerSample, (1,))
            share = min(1.0, tags.get(ExifTags.Base.RowsPerStrip, image.height) / max(1, image.height))
            each += share * bits[0] / 8 * tags.get(ExifTags.Base.SamplesPerPixel, 1)
        if tags.get(ExifTags.Base.Orientation, 1) != 1:
            each += _OTHER_MODES  # Pillow turns the whole picture
    return each


def memory_of_file(format: Format | None, size: int) -> int:
    """Bytes for a file of ``size`` bytes itself: more than one copy where its decoder is given one."""
    return 4 * size if format in (RAW, HEIF) else size
