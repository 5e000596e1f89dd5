"""A file or bytes of a known format -> an 8-bit Pillow image, upright, no larger than necessary."""

import contextlib
import re
import warnings
from collections.abc import Callable, Iterator
from math import ceil
from typing import Any, BinaryIO

from PIL import ExifTags, Image

from sketchseek.errors import SketchseekError
from sketchseek.pictures.colour import to_eight_bits
from sketchseek.pictures.errors import PictureError
from sketchseek.pictures.formats import HEIF, JPEG, RAW, Format
from sketchseek.pictures.header import PIXEL_BYTES, SPARE, factors, memory_of, open_header, stored_size, use_draft
from sketchseek.pictures.heif import open_heif
from sketchseek.pictures.limits import check_memory, check_size, pixel_limit
from sketchseek.pictures.raw import raw_preview
from sketchseek.pictures.structure import check_structure
from sketchseek.wording import shown

MAX_REASON = 160  # letters of what a decoder says

# Pillow warns of sizes that our limits allow and of damaged metadata, on stderr and without the file's name.
warnings.filterwarnings("ignore", module=r"PIL\.")

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode(
    stream: BinaryIO,
    format: Format,
    name: str,
    target: int | None,
    max_pixels: int | None,
    max_memory: int | None = None,
) -> Image.Image:
    """The first picture in ``stream``, 8 bits a channel, upright.

    ``target``: the shortest side that is needed, in px; a larger picture may come back smaller, but never below it.
    """
    with _picture_errors(name):
        if format.pillow:
            image = _open(stream, format, name, target, max_pixels, max_memory)
            return _turned(_shrunk(to_eight_bits(image), target), _orientation(image))
        _memory_of_others(stream, format, name, max_pixels, max_memory)
        return DECODERS[format.name](stream, name, target, max_pixels)


def memory_to_decode(stream: BinaryIO, format: Format, name: str, target: int | None, max_pixels: int | None) -> int:
    """Bytes that ``decode`` takes at its peak, estimated from the header; a ``PictureError`` if it would refuse."""
    with _picture_errors(name):
        if format.pillow:
            return _header(stream, format, name, target, max_pixels, None)[1]
        return _memory_of_others(stream, format, name, max_pixels, None)


def _decode_heif(stream: BinaryIO, name: str, target: int | None, max_pixels: int | None) -> Image.Image:
    limit = pixel_limit() if max_pixels is None else max_pixels
    keep = None if target is None else ceil(target * SPARE)
    return _shrunk(to_eight_bits(open_heif(stream.read(), name, limit, keep)), target)  # already upright


def _decode_raw(stream: BinaryIO, name: str, target: int | None, max_pixels: int | None) -> Image.Image:
    preview, turn = raw_preview(stream, name, max_pixels)
    image = preview if isinstance(preview, Image.Image) else _open(preview, JPEG, name, target, max_pixels)
    orientation = _orientation(image)
    return _turned(_shrunk(to_eight_bits(image), target), turn if orientation == 1 else orientation)


# Decoders of the photo formats that Pillow does not open: (stream, name, target, max_pixels) -> an upright image.
DECODERS: dict[str, Callable[[BinaryIO, str, int | None, int | None], Image.Image]] = {
    HEIF.name: _decode_heif,
    RAW.name: _decode_raw,
}


def _open(
    stream: BinaryIO,
    format: Format,
    name: str,
    target: int | None,
    max_pixels: int | None,
    max_memory: int | None = None,
) -> Image.Image:
    image, _memory = _header(stream, format, name, target, max_pixels, max_memory)
    image.load()
    return image


def _header(
    stream: BinaryIO, format: Format, name: str, target: int | None, max_pixels: int | None, max_memory: int | None
) -> tuple[Image.Image, int]:
    """(the picture, within all limits and not decoded yet; bytes that decoding it takes)."""
    several_scans = check_structure(stream, format, name)
    if size := stored_size(stream, format):
        check_size(size, name, max_pixels)
        check_memory(size[0] * size[1] * PIXEL_BYTES[format], size, name, max_pixels, max_memory)
    image = open_header(stream, format)
    size = image.size
    check_size(size, name, max_pixels)
    use_draft(image, format, target)
    memory = memory_of(image, format, size, several_scans, target)
    check_memory(memory, size, name, max_pixels, max_memory)
    return image, memory


def _memory_of_others(
    stream: BinaryIO, format: Format, name: str, max_pixels: int | None, max_memory: int | None
) -> int:
    """Bytes for decoding a format that Pillow does not open, within the limits; 0 for formats of small previews."""
    size = stored_size(stream, format)
    if size is None:
        return 0
    check_size(size, name, max_pixels)
    memory = size[0] * size[1] * PIXEL_BYTES[format]
    check_memory(memory, size, name, max_pixels, max_memory)
    return memory


def _shrunk(image: Image.Image, target: int | None) -> Image.Image:
    """The image reduced by whole factors, which is cheap, before its colours are converted, which is not."""
    by = factors(image.size, target)
    if by == (1, 1):
        return image
    reduced = image.reduce(by)
    reduced.info = image.info  # the colour profile and EXIF are still needed
    return reduced


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8; 1 if it is missing or cannot be read. Pillow has turned a TIFF already."""
    try:
        value: Any = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged EXIF, in any of a dozen ways, does not make the picture itself unusable
        return 1
    return value if value in _UPRIGHT else 1


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    if orientation not in _UPRIGHT:
        return image
    turned = image.transpose(_UPRIGHT[orientation])
    turned.info = image.info  # the colour profile is still needed
    return turned


@contextlib.contextmanager
def _picture_errors(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises into a ``PictureError``: on hostile bytes they raise nearly everything."""
    try:
        yield
    except SketchseekError:
        raise
    except MemoryError:
        raise PictureError(name, "does not fit into memory") from None
    except Image.DecompressionBombError:
        raise PictureError(name, "has more pixels than its format's decoder accepts; save it as JPEG") from None
    except Exception as error:
        line = _first_line(error)
        cut = re.search("truncated|not processed", line, re.IGNORECASE)
        reason = "is cut short" if cut else f"is damaged or cut short, or of an unusual kind ({line})"
        raise PictureError(name, reason) from None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return shown(lines[0], MAX_REASON) if lines else type(error).__name__
