"""Photos: any file or upload -> an upright sRGB array."""

import os
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchseek.pictures.colour import over_white, to_srgb
from sketchseek.pictures.decoding import decode, memory_to_decode
from sketchseek.pictures.errors import PictureError
from sketchseek.pictures.formats import HEAD_BYTES, Format, format_of, why_unsupported
from sketchseek.pictures.header import memory_of_file
from sketchseek.pictures.sources import Source, display_name, file_name, open_source


def load_photo(
    source: Source,
    *,
    name: str | None = None,
    target: int | None = None,
    max_pixels: int | None = None,
    max_memory: int | None = None,
) -> NDArray[np.uint8]:
    """A picture from a path or from bytes -> RGB (height, width, 3), upright, transparency over white.

    ``name``: the picture's name in messages; its suffix separates camera RAW from TIFF. ``target``: the shortest side
    that is needed, in px; large pictures then decode smaller and faster, but never below it. ``max_pixels``: by default
    $SKETCHSEEK_MAX_PIXELS, else 200 million. ``max_memory``: bytes that decoding may take, by its header; a
    ``MemoryLimitError`` if it takes more. Raises only ``PictureError``, whatever the source holds.
    """
    label = display_name(source, name)
    with open_source(source, label) as stream:
        format = _photo_format(stream, file_name(source, name), label)
        image = decode(stream, format, label, target, max_pixels, max_memory)
        return np.asarray(flattened(image, label), dtype=np.uint8)


def memory_to_load(source: Source, *, target: int) -> int:
    """Bytes that ``load_photo(source, target=target)`` takes at its peak, the file included, estimated from its header.

    Raises ``PictureError`` if the header shows that the photo is refused.
    """
    label = display_name(source, None)
    with open_source(source, label) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        format = _photo_format(stream, file_name(source, None), label)
        return memory_of_file(format, size) + memory_to_decode(stream, format, label, target, None)


def _photo_format(stream: BinaryIO, path: str, name: str) -> Format:
    """The format of a photo by its first bytes; the stream is then at its start."""
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    format = format_of(head, path)
    if format is None:
        raise PictureError(name, why_unsupported(head))
    if format.drawing:
        raise PictureError(name, "is a drawing, not a photo; give it as a sketch")
    return format


def flattened(image: Image.Image, name: str) -> Image.Image:
    """An 8-bit image -> sRGB over white."""
    try:
        return over_white(to_srgb(image))
    except (MemoryError, OSError, ValueError) as error:
        raise PictureError(name, f"its colours cannot be converted ({error})") from None
