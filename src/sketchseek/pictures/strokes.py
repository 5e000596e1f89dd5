"""Drawings made of strokes (QuickDraw's JSON, the web page's canvas), rendered with round, anti-aliased lines."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sketchseek.pictures.errors import PictureError

MAX_STROKES_BYTES = 4 * 2**20
MAX_POINTS = 50_000  # seven minutes of a pen that reports 120 points a second
MAX_COORDINATE = 1e6
MAX_WIDTH = 20.0  # in units of the width of a model's lines
MAX_COLOURS = 16  # different ones in a drawing
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_OVERSAMPLING = 4  # Pillow draws lines with hard edges: drawn larger and averaged down they become smooth


def _refuse(constant: str) -> None:
    raise ValueError(constant)


_READER = json.JSONDecoder(parse_constant=_refuse)  # NaN and Infinity are not JSON


@dataclass(frozen=True, eq=False)
class StrokeSketch:
    """Strokes in the order they were drawn, each float64 (points, 2) as x to the right and y down.

    ``sheet``: width and height of the paper; if None, the sheet ends where the drawing does.
    ``widths``: of each stroke, in units of the width of a model's lines; None: 1 for all. ``colours``: of each stroke,
    as red, green and blue up to 255; None for one that says nothing about colours, as the black of a pencil. A model
    sees all strokes as black lines.
    """

    strokes: tuple[NDArray[np.float64], ...]
    sheet: tuple[float, float] | None = None
    widths: tuple[float, ...] | None = None
    colours: tuple[tuple[int, int, int] | None, ...] | None = None

    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of what is drawn."""
        points = np.concatenate(self.strokes)
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        return float(left), float(top), float(right), float(bottom)


def sketch_from_strokes(
    strokes: Sequence[Sequence[Sequence[float]]],
    *,
    sheet: tuple[float, float] | None = None,
    widths: Sequence[float] | None = None,
    colours: Sequence[str | None] | None = None,
    name: str = "strokes",
) -> StrokeSketch:
    """Strokes as QuickDraw has them, ``[[xs, ys], ...]`` or ``[[xs, ys, times], ...]``, checked and bounded.

    ``colours``: one for each stroke, such as "#2b6cd4", or None.
    """
    if not isinstance(strokes, list | tuple) or not strokes:
        raise PictureError(name, "holds no strokes")
    if sheet is not None and not all(_is_number(side) and 0 < side <= MAX_COORDINATE for side in sheet):
        raise PictureError(name, "the sheet's width and height must be positive numbers")
    if widths is not None and not (
        isinstance(widths, list | tuple)
        and len(widths) == len(strokes)
        and all(_is_number(width) and 0 < width <= MAX_WIDTH for width in widths)
    ):
        raise PictureError(name, f"the widths are not one number above 0 and up to {MAX_WIDTH:g} for each stroke")
    given = None if colours is None else _colours(colours, len(strokes), name)
    read, points = [], 0
    for stroke in strokes:
        if not isinstance(stroke, list | tuple) or len(stroke) not in (2, 3):
            raise PictureError(name, "a stroke is not [xs, ys] or [xs, ys, times]")
        xs, ys = stroke[0], stroke[1]
        if not isinstance(xs, list | tuple) or not isinstance(ys, list | tuple) or len(xs) != len(ys) or not xs:
            raise PictureError(name, "a stroke's xs and ys are not two lists of the same length")
        points += len(xs)
        if points > MAX_POINTS:
            raise PictureError(name, f"has more than {MAX_POINTS} points")
        if not all(_is_number(value) and abs(value) <= MAX_COORDINATE for values in (xs, ys) for value in values):
            raise PictureError(name, f"a coordinate is not a number within +-{MAX_COORDINATE:.0f}")
        read.append(np.array([xs, ys], dtype=np.float64).T)
    return StrokeSketch(tuple(read), sheet, tuple(map(float, widths)) if widths is not None else None, given)


def parse_strokes(text: str, name: str) -> StrokeSketch:
    """JSON ``[[xs, ys], ...]`` or QuickDraw's object with a ``drawing``; only the first line is read."""
    text = text.lstrip()
    try:
        found, end = _READER.raw_decode(text)
        if text[end:].partition("\n")[0].strip():
            raise ValueError("more on the same line")
    except (ValueError, RecursionError):
        raise PictureError(name, "is not JSON strokes: [[xs, ys], ...], or an object with them as drawing") from None
    if isinstance(found, dict):
        if "drawing" not in found:
            raise PictureError(name, "is a JSON object without a drawing")
        found = found["drawing"]
    return sketch_from_strokes(found, name=name)


def render(
    sketch: StrokeSketch,
    size: tuple[int, int],
    scale: tuple[float, float],
    offset: tuple[float, float],
    width: float,
) -> NDArray[np.uint8]:
    """Black lines on white, RGB (height, width, 3); a line of width 1 is ``width`` px wide.

    Point p is drawn at p * scale + offset, in px.
    """
    # Large sheets need less oversampling, which also limits memory.
    factor = max(1, min(_OVERSAMPLING, 4096 // max(size)))
    image = Image.new("L", (size[0] * factor, size[1] * factor), 255)
    pen = ImageDraw.Draw(image)
    for stroke, own in zip(sketch.strokes, sketch.widths or (1.0,) * len(sketch.strokes), strict=True):
        radius = max(own * width * factor / 2, 1)  # thinner would leave gaps
        points = (stroke * np.array(scale) + np.array(offset)) * factor - 0.5
        # Points far outside are moved nearer, but stay outside: Pillow visits every pixel of a line.
        points = points.clip(-2 * max(image.size), 3 * max(image.size))
        if len(points) > 1:
            pen.line([(x, y) for x, y in points], fill=0, width=max(1, round(2 * radius)))
        for x, y in points:  # round ends and joins, and a dot for a single point
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)
    smooth = image.reduce(factor) if factor > 1 else image
    return np.asarray(smooth.convert("RGB"), dtype=np.uint8)


def _colours(values: Sequence[str | None], count: int, name: str) -> tuple[tuple[int, int, int] | None, ...] | None:
    """Checked colours; None if no stroke has any."""
    if not isinstance(values, list | tuple) or len(values) != count:
        raise PictureError(name, "the colours are not one for each stroke")
    if not all(value is None or (isinstance(value, str) and _COLOUR.fullmatch(value)) for value in values):
        raise PictureError(name, 'a colour is neither null nor of the form "#2b6cd4"')
    if len(set(values) - {None}) > MAX_COLOURS:
        raise PictureError(name, f"has more than {MAX_COLOURS} colours")
    found = [
        None if value is None else (int(value[1:3], 16), int(value[3:5], 16), int(value[5:], 16)) for value in values
    ]
    return tuple(found) if any(found) else None


def _is_number(value: Any) -> bool:
    # No abs() or isfinite() on a Python int of a million digits.
    if isinstance(value, int) and not isinstance(value, bool):
        return -(10**9) < value < 10**9
    return isinstance(value, float) and math.isfinite(value)
