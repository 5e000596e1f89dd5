"""A file or bytes of a known format -> an 8-bit Pillow image, upright, no larger than it need be."""

import contextlib
from collections.abc import Callable, Iterator
from math import ceil
from typing import Any, BinaryIO

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from sketchseek.errors import SketchseekError
from sketchseek.pictures.colour import to_eight_bits
from sketchseek.pictures.containers import open_heif, raw_preview
from sketchseek.pictures.errors import PictureError
from sketchseek.pictures.limits import check_size
from sketchseek.pictures.structure import check_structure


# The plugins themselves, not Image.open: that would hold every caller to one limit that all of the process shares.
class _Tiff(TiffImagePlugin.TiffImageFile):
    def load_prepare(self) -> None:
        if self._im is None:  # before Pillow holds it to that limit here as well
            self.im = Image.new(self.mode, self._tile_size, None).im
        super().load_prepare()


_READERS: dict[str, Callable[[BinaryIO], Image.Image]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": _Tiff,
    "AVIF": AvifImagePlugin.AvifImageFile,
}

# How much larger than wanted a picture stays: the resize after it then filters nearly as if it had the full picture.
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


def decode(stream: BinaryIO, kind: str, name: str, target: int | None, max_pixels: int | None) -> Image.Image:
    """The first picture in ``stream``, 8 bits a channel, as it is meant to be seen.

    ``target``: shortest side in px that is wanted; a larger picture may come back smaller, but never below it.
    """
    with _told(name):
        if kind == "RAW":
            preview, turn = raw_preview(stream, name, max_pixels)
            image = preview if isinstance(preview, Image.Image) else _opened(preview, "JPEG", name, target, max_pixels)
            orientation = _orientation(image)
            return _turned(_shrunk(to_eight_bits(image), target), turn if orientation == 1 else orientation)
        if kind == "HEIF":
            return _shrunk(to_eight_bits(open_heif(stream, name, max_pixels)), target)  # turned by its decoder
        image = _opened(stream, kind, name, target, max_pixels)
        orientation = _orientation(image)
        return _turned(_shrunk(to_eight_bits(image), target), orientation)


def _opened(stream: BinaryIO, kind: str, name: str, target: int | None, max_pixels: int | None) -> Image.Image:
    check_structure(stream, kind, name)
    image = _READERS[kind](stream)
    check_size(image.size, name, max_pixels)
    if kind == "JPEG" and target is not None:
        # The decoder skips frequencies it would throw away: 1/2, 1/4 or 1/8 of the size at a fraction of the time.
        # A square, since its shorter side decides, whichever way EXIF turns the picture later.
        image.draft(None, (ceil(target * _SPARE), ceil(target * _SPARE)))
    image.load()
    return image


def _shrunk(image: Image.Image, target: int | None) -> Image.Image:
    """By a whole factor, before colours are converted: that is cheap, and the rest then works on little."""
    factor = int(min(image.size) // (target * _SPARE)) if target else 1
    if factor < 2:
        return image
    reduced = image.reduce(factor)
    reduced.info = image.info  # the colour profile and EXIF are still needed
    return reduced


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8; 1 where there is none or it cannot be read. Pillow has turned a TIFF already."""
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
def _told(name: str) -> Iterator[None]:
    """Whatever a decoder raises becomes one sentence: on hostile bytes they raise nearly everything."""
    try:
        yield
    except SketchseekError:  # said already
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
