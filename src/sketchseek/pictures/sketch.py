"""Sketches: drawings as ink on white or as strokes. They are placed and rendered later, as the model requires."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchseek.pictures.colour import to_srgb
from sketchseek.pictures.decoding import decode
from sketchseek.pictures.errors import PictureError
from sketchseek.pictures.formats import HEAD_BYTES, QUICKDRAW, SVG, format_of, why_unsupported
from sketchseek.pictures.photo import flattened
from sketchseek.pictures.sources import Source, display_name, file_name, open_source, read_text
from sketchseek.pictures.strokes import MAX_STROKES_BYTES, StrokeSketch, parse_strokes
from sketchseek.pictures.svg import MAX_SVG_BYTES, render_svg

_TARGET = 1024  # px; enough for the lines of a scan, and a 50-megapixel sheet does not stay in memory
_DARK, _MOSTLY = 64, 0.6  # white on black: darker than this over this share of the sheet and of its border


@dataclass(frozen=True, eq=False)
class RasterSketch:
    """Ink on white paper: ``pixels`` RGB (height, width, 3)."""

    pixels: NDArray[np.uint8]


Sketch = RasterSketch | StrokeSketch


def load_sketch(source: Source, *, name: str | None = None, max_pixels: int | None = None) -> Sketch:
    """A drawing from a path or from bytes: any photo format, SVG, or QuickDraw strokes (a line of ndjson, or JSON).

    Transparent paper becomes white, white lines on black are inverted. Raises only ``PictureError``, whatever the
    source holds, also if nothing is drawn.
    """
    label = display_name(source, name)
    with open_source(source, label) as stream:
        head = stream.read(HEAD_BYTES)
        stream.seek(0)
        format = format_of(head, file_name(source, name))
        if format is None:
            raise PictureError(label, why_unsupported(head))
        if format.drawing:
            return PARSERS[format.name](stream, label)
        return RasterSketch(on_white(decode(stream, format, label, _TARGET, max_pixels), label))


def _read_strokes(stream: BinaryIO, name: str) -> Sketch:
    return parse_strokes(read_text(stream, name, MAX_STROKES_BYTES), name)


def _read_svg(stream: BinaryIO, name: str) -> Sketch:
    return RasterSketch(on_white(render_svg(read_text(stream, name, MAX_SVG_BYTES), name), name))


# Readers of the formats that only hold drawings: (stream, name) -> a sketch.
PARSERS: dict[str, Callable[[BinaryIO, str], Sketch]] = {QUICKDRAW.name: _read_strokes, SVG.name: _read_svg}


def on_white(image: Image.Image, name: str) -> NDArray[np.uint8]:
    """An 8-bit image of a drawing -> dark ink on white paper, RGB (height, width, 3)."""
    pixels = np.asarray(flattened(image, name), dtype=np.uint8)
    if _is_blank(pixels) and image.mode == "RGBA":
        # White lines on transparent paper vanish over white; over black they show.
        black = Image.new("RGB", image.size)
        black.paste(to_srgb(image).convert("RGB"), mask=image.getchannel("A"))
        pixels = np.asarray(black, dtype=np.uint8)
    if _is_white_on_black(pixels):
        pixels = 255 - pixels
    if _is_blank(pixels):
        raise PictureError(name, "nothing is drawn on it")
    return pixels


def darkness(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """0 for white paper to 255 for black or fully coloured ink: (height, width, 3) -> (height, width)."""
    return np.asarray(255 - pixels.min(axis=2), dtype=np.uint8)


def _is_blank(pixels: NDArray[np.uint8]) -> bool:
    # One axis after the other: numpy is ten times slower over both at once.
    brightest, darkest = pixels.max(axis=0).max(axis=0), pixels.min(axis=0).min(axis=0)
    return bool((brightest.astype(int) - darkest < 8).all())


def _is_white_on_black(pixels: NDArray[np.uint8]) -> bool:
    brightness = np.maximum(np.maximum(pixels[..., 0], pixels[..., 1]), pixels[..., 2])
    border = np.concatenate([brightness[0], brightness[-1], brightness[:, 0], brightness[:, -1]])
    return bool((brightness < _DARK).mean() > _MOSTLY and (border < _DARK).mean() > _MOSTLY)
