"""The limit on a picture's pixels, checked in its header before anything is decoded."""

import os

from sketchseek.errors import SketchseekError
from sketchseek.pictures.errors import PictureError

MAX_PIXELS = 200_000_000
VARIABLE = "SKETCHSEEK_MAX_PIXELS"


def pixel_limit() -> int:
    """The limit: that of the environment variable, else ``MAX_PIXELS``."""
    value = os.environ.get(VARIABLE)
    if value is None:
        return MAX_PIXELS
    if not (value.isdecimal() and len(value) <= 18 and int(value) > 0):
        raise SketchseekError(f"{VARIABLE} is {value!r}: give a whole number of pixels, such as {MAX_PIXELS}")
    return int(value)


def check_size(size: tuple[int, int], name: str, max_pixels: int | None) -> None:
    """Refuse a picture of (width, height) that has no pixels, or more than the limit."""
    width, height = size
    limit = pixel_limit() if max_pixels is None else max_pixels
    if width < 1 or height < 1:
        raise PictureError(name, f"has no pixels ({width} x {height})")
    if width * height > limit:
        raise PictureError(
            name,
            f"{width} x {height} pixels are over the limit of {limit / 1e6:g} million;"
            f" set {VARIABLE}={width * height} if you trust it",
        )
