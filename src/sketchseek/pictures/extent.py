"""The part of a picture that a model sees: the square that ``fit`` makes, in coordinates of the picture."""

import numpy as np
from numpy.typing import NDArray

from sketchseek.pictures.prepare import Box, central_square, ink_box, stroke_frame
from sketchseek.pictures.preprocessing import Preprocessing
from sketchseek.pictures.sketch import RasterSketch, Sketch
from sketchseek.pictures.strokes import StrokeSketch

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


def extent(picture: NDArray[np.uint8] | Sketch, record: Preprocessing) -> Box:
    """Left, top, right and bottom of the square that ``fit(picture, record)`` gives, as fractions of the picture.

    Padding reaches beyond 0 and 1. For strokes, fractions of their sheet, or of their bounds if it is unknown.
    """
    if isinstance(picture, StrokeSketch):
        return _of_strokes(picture, record)
    if isinstance(picture, RasterSketch):
        if record.placement == "ink":
            return _around(ink_box(picture.pixels), picture.pixels, 1 - 2 * record.margin)
        return extent(picture.pixels, record)
    height, width = picture.shape[:2]
    if record.fit == "squash":
        return WHOLE
    if record.fit == "pad":
        return _around((0, 0, width, height), picture, 1.0)
    left, top, right, bottom = central_square(width, height, record.size)
    return left / width, top / height, right / width, bottom / height


def _around(box: tuple[int, int, int, int], pixels: NDArray[np.uint8], share: float) -> Box:
    """The square centred on ``box``, whose longer side fills ``share`` of it."""
    left, top, right, bottom = box
    half = max(right - left, bottom - top) / share / 2
    across, down, (height, width) = (left + right) / 2, (top + bottom) / 2, pixels.shape[:2]
    return (across - half) / width, (down - half) / height, (across + half) / width, (down + half) / height


def _of_strokes(sketch: StrokeSketch, record: Preprocessing) -> Box:
    (across, down), (right, below) = stroke_frame(sketch, record)
    bounds = sketch.bounds() if sketch.sheet is None else (0.0, 0.0, *sketch.sheet)
    width, height = bounds[2] - bounds[0], bounds[3] - bounds[1]
    if not (across and down and width and height):  # a single dot, or a straight line: it has no area
        return WHOLE
    return (
        (-right / across - bounds[0]) / width,
        (-below / down - bounds[1]) / height,
        ((record.size - right) / across - bounds[0]) / width,
        ((record.size - below) / down - bounds[1]) / height,
    )
