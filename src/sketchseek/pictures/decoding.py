"""A file or bytes of a known format -> an 8-bit Pillow image, upright, no larger than necessary."""

import contextlib
from collections.abc import Callable, Iterator
from importlib import import_module
from math import ceil
from typing import Any, BinaryIO

from PIL import ExifTags, Image, TiffImagePlugin

from sketchseek.errors import SketchseekError
from sketchseek.pictures.colour import to_eight_bits
from sketchseek.pictures.containers import open_heif, raw_preview
from sketchseek.pictures.errors import PictureError
from sketchseek.pictures.formats import HEIF, JPEG, RAW, TIFF, Format
from sketchseek.pictures.limits import check_size
from sketchseek.pictures.structure import check_structure


class _Tiff(TiffImagePlugin.TiffImageFile):
    def load_prepare(self) -> None:
        if self._im is None:  # before Pillow checks the process-wide limit here as well
            self.im = Image.new(self.mode, self._tile_size, None).im
        super().load_prepare()


# A picture stays this much larger than the target, so that the later resize filters nearly as from the full size.
_SPARE = 1.5

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode(stream: BinaryIO, format: Format, name: str, target: int | None, max_pixels: int | None) -> Image.Image:
    """The first picture in ``stream``, 8 bits a channel, upright.

    ``target``: the shortest side that is needed, in px; a larger picture may come back smaller, but never below it.
    """
    with _picture_errors(name):
        if format.pillow:
            image = _open(stream, format, name, target, max_pixels)
            return _turned(_shrunk(to_eight_bits(image), target), _orientation(image))
        return DECODERS[format.name](stream, name, target, max_pixels)


def _decode_heif(stream: BinaryIO, name: str, target: int | None, max_pixels: int | None) -> Image.Image:
    return _shrunk(to_eight_bits(open_heif(stream, name, max_pixels)), target)  # already upright


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


def _open(stream: BinaryIO, format: Format, name: str, target: int | None, max_pixels: int | None) -> Image.Image:
    check_structure(stream, format, name)
    image = _plugin(format)(stream)
    check_size(image.size, name, max_pixels)
    if format is JPEG and target is not None:
        # The decoder skips frequencies that would be discarded: 1/2, 1/4 or 1/8 of the size in a fraction of the time.
        # A square, since its shorter side decides, whichever way EXIF turns the picture later.
        image.draft(None, (ceil(target * _SPARE), ceil(target * _SPARE)))
    image.load()
    return image


def _plugin(format: Format) -> Callable[[BinaryIO], Image.Image]:
    """Pillow's class for a format; ``Image.open`` would impose one pixel limit on the whole process."""
    if format is TIFF:
        return _Tiff
    module = import_module(f"PIL.{format.pillow}ImagePlugin")
    reader: Callable[[BinaryIO], Image.Image] = getattr(module, f"{format.pillow}ImageFile")
    return reader


def _shrunk(image: Image.Image, target: int | None) -> Image.Image:
    """The image reduced by a whole factor, which is cheap, before its colours are converted, which is not."""
    factor = int(min(image.size) // (target * _SPARE)) if target else 1
    if factor < 2:
        return image
    reduced = image.reduce(factor)
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
        raise PictureError(name, f"is damaged or cut short, or of an unusual kind ({_first_line(error)})") from None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__
