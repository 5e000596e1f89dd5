"""Limits on a picture's pixels and memory, checked in its header before anything is decoded."""

import os

from sketchseek.errors import SketchseekError
from sketchseek.pictures.errors import MemoryLimitError, PictureError

MAX_PIXELS = 200_000_000
VARIABLE = "SKETCHSEEK_MAX_PIXELS"
MAX_SIDE = 1_000_000  # px: each row takes memory of its own, however short it is
SPARE_MEMORY = 100_000_000  # bytes more for any picture: a reduced one takes some whatever its size
PIXEL_BYTES = 5  # formats and modes that take more bytes a pixel have a lower limit in proportion


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
    if max(size) > MAX_SIDE:
        raise PictureError(
            name, f"{width} x {height} pixels: a side is over the limit of {MAX_SIDE:,}; cut it into pieces"
        )


def check_memory(memory: int, size: tuple[int, int], name: str, max_pixels: int | None, max_memory: int | None) -> None:
    """Refuse a picture of (width, height) that takes more bytes than ``max_memory`` or than the pixel limit allows."""
    most = (pixel_limit() if max_pixels is None else max_pixels) * PIXEL_BYTES + SPARE_MEMORY
    if memory > most:
        raise PictureError(
            name,
            f"{size[0]} x {size[1]} pixels of this kind take {megabytes(memory)} of memory to open, over the limit of"
            f" {megabytes(most)}; save it as JPEG, not progressive, or set"
            f" {VARIABLE}={-(-memory // PIXEL_BYTES)} if you trust it",
        )
    if max_memory is not None and memory > max_memory:
        raise MemoryLimitError(
            name,
            f"takes {megabytes(memory)} of memory to open, more than the {megabytes(max_memory)} that are left for it",
        )


def megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
