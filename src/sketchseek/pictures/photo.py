"""Photos: any file or upload -> an upright sRGB array."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchseek.pictures.colour import over_white, to_srgb
from sketchseek.pictures.decoding import decode
from sketchseek.pictures.errors import PictureError
from sketchseek.pictures.formats import HEAD_BYTES, format_of, why_unsupported
from sketchseek.pictures.sources import Source, display_name, file_name, open_source


def load_photo(
    source: Source, *, name: str | None = None, target: int | None = None, max_pixels: int | None = None
) -> NDArray[np.uint8]:
    """A picture from a path or from bytes -> RGB (height, width, 3), upright, transparency over white.

    ``name``: the picture's name in messages; its suffix separates camera RAW from TIFF. ``target``: the shortest side
    that is needed, in px; large pictures then decode smaller and faster, but never below it. ``max_pixels``: by default
    $SKETCHSEEK_MAX_PIXELS, else 200 million. Raises only ``PictureError``, whatever the source holds.
    """
    label = display_name(source, name)
    with open_source(source, label) as stream:
        head = stream.read(HEAD_BYTES)
        stream.seek(0)
        format = format_of(head, file_name(source, name))
        if format is None:
            raise PictureError(label, why_unsupported(head))
        if format.drawing:
            raise PictureError(label, "is a drawing, not a photo; give it as a sketch")
        image = decode(stream, format, label, target, max_pixels)
        return np.asarray(flattened(image, label), dtype=np.uint8)


def flattened(image: Image.Image, name: str) -> Image.Image:
    """An 8-bit image -> sRGB over white."""
    try:
        return over_white(to_srgb(image))
    except (MemoryError, OSError, ValueError) as error:
        raise PictureError(name, f"its colours cannot be converted ({error})") from None
