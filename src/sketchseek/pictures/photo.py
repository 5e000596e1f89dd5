"""Photos: any file or upload -> an upright sRGB array."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchseek.pictures.colour import over_white, to_srgb
from sketchseek.pictures.decoding import decode
from sketchseek.pictures.errors import PictureError
from sketchseek.pictures.formats import HEAD_BYTES, kind_of, refusal
from sketchseek.pictures.sources import Source, name_of, opened, suffix_of

DRAWN = {"SVG", "STROKES"}


def load_photo(
    source: Source, *, name: str | None = None, target: int | None = None, max_pixels: int | None = None
) -> NDArray[np.uint8]:
    """A picture from a path or from bytes -> RGB (height, width, 3), upright, transparency over white.

    ``name``: what messages call it, and whose ending tells camera RAW from TIFF. ``target``: shortest side in px that
    is wanted; large pictures then decode smaller and faster, but never below it. ``max_pixels``: 200 million, or what
    SKETCHSEEK_MAX_PIXELS says. Raises ``PictureError`` and nothing else for whatever the source holds.
    """
    shown = name_of(source, name)
    with opened(source, shown) as stream:
        head = stream.read(HEAD_BYTES)
        stream.seek(0)
        kind = kind_of(head, suffix_of(source, name))
        if kind is None:
            raise PictureError(shown, refusal(head))
        if kind in DRAWN:
            raise PictureError(shown, "is a drawing, not a photo; give it as a sketch")
        image = decode(stream, kind, shown, target, max_pixels)
        return np.asarray(flattened(image, shown), dtype=np.uint8)


def flattened(image: Image.Image, name: str) -> Image.Image:
    """An 8-bit image -> sRGB over white."""
    try:
        return over_white(to_srgb(image))
    except (MemoryError, OSError, ValueError) as error:
        raise PictureError(name, f"its colours cannot be converted ({error})") from None
