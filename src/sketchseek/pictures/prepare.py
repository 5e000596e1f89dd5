"""Pictures -> model input, as a preprocessing record defines it; the same code for training and for search."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchseek.pictures.header import LONGEST_SIDE
from sketchseek.pictures.preprocessing import WHITE, Preprocessing
from sketchseek.pictures.sketch import RasterSketch, Sketch, darkness
from sketchseek.pictures.strokes import StrokeSketch, render

Box = tuple[float, float, float, float]  # left, top, right, bottom in px

_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_INK = 32  # least darkness of a drawn pixel: above the noise of JPEG and of scanned paper


def prepare(picture: NDArray[np.uint8] | Sketch, record: Preprocessing) -> NDArray[np.float32]:
    """A photo (height, width, 3) or a sketch -> model input float32 (3, size, size)."""
    return normalise(fit(picture, record), record)


def prepare_batch(pictures: Iterable[NDArray[np.uint8] | Sketch], record: Preprocessing) -> NDArray[np.float32]:
    """Photos or sketches -> model input float32 (n, 3, size, size)."""
    prepared = [prepare(picture, record) for picture in pictures]
    return np.stack(prepared) if prepared else np.empty((0, 3, record.size, record.size), np.float32)


def normalise(fitted: NDArray[np.uint8], record: Preprocessing) -> NDArray[np.float32]:
    """The result of ``fit``, uint8 (..., size, size, 3) -> float32 (..., 3, size, size): minus mean, divided by std."""
    mean, std = (np.array(values, np.float32) for values in (record.mean, record.std))
    scaled = fitted * (np.float32(1 / 255) / std) - mean / std
    return np.ascontiguousarray(np.moveaxis(scaled, -1, -3), dtype=np.float32)


def fit(picture: NDArray[np.uint8] | Sketch, record: Preprocessing) -> NDArray[np.uint8]:
    """A photo or a sketch -> uint8 (size, size, 3), the form that training keeps on disk."""
    if isinstance(picture, StrokeSketch):
        return _fit_strokes(picture, record)
    if isinstance(picture, RasterSketch):
        if record.placement == "ink":
            inner = max(1, round(record.size * (1 - 2 * record.margin)))
            return _padded(_cropped_to_ink(picture.pixels), inner, record, WHITE)
        return _fit_array(picture.pixels, record)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or picture.size == 0:
        raise ValueError(f"a photo is uint8 (height, width, 3), not {picture.dtype} {picture.shape}")
    return _fit_array(picture, record)


def ink_map(sketch: Sketch, side: int) -> NDArray[np.float32]:
    """How much of each cell is drawn, 0 to 1: a sketch, cropped to its ink and centred -> (side, side)."""
    drawn = darkness(fit(sketch, Preprocessing(size=2 * side, fill=WHITE, placement="ink", margin=0.12)))
    return np.asarray(drawn.reshape(side, 2, side, 2).mean(axis=(1, 3)) / 255, np.float32)


def _fit_array(pixels: NDArray[np.uint8], record: Preprocessing) -> NDArray[np.uint8]:
    if record.fit == "pad":
        return _padded(pixels, record.size, record, record.fill)
    height, width = pixels.shape[:2]
    if record.fit == "squash":
        return _resized(pixels, (record.size, record.size), record)
    return _resized(pixels, (record.size, record.size), record, central_square(width, height, record.size))


def central_square(width: int, height: int, size: int) -> Box:
    """The part of a picture that is left when its shorter side is resized to ``size`` and its centre cropped.

    The crop lies on whole pixels, as in the preprocessors of published CLIPs. With this box the picture is cropped
    before it is resized, so the long side is never made: 1 x 20000 px would become 224 x 4480000.
    """
    shortest = min(width, height)
    across, down = size * width // shortest, size * height // shortest
    left, top = (across - size) // 2, (down - size) // 2
    step_x, step_y = width / across, height / down
    right, bottom = min((left + size) * step_x, width), min((top + size) * step_y, height)
    return (left * step_x, top * step_y, right, bottom)


def _padded(
    pixels: NDArray[np.uint8], inner: int, record: Preprocessing, fill: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """The whole picture, its longer side ``inner`` px, in the middle of a square of ``record.size``."""
    height, width = pixels.shape[:2]
    longest = max(height, width)
    # At least one pixel: a line of 1 x 20000 must not vanish.
    size = (max(1, round(width * inner / longest)), max(1, round(height * inner / longest)))
    square = np.empty((record.size, record.size, 3), np.uint8)
    square[:] = fill
    top, left = (record.size - size[1]) // 2, (record.size - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = _resized(pixels, size, record)
    return square


def _resized(
    pixels: NDArray[np.uint8], size: tuple[int, int], record: Preprocessing, box: Box | None = None
) -> NDArray[np.uint8]:
    if pixels.shape[1::-1] == size:
        return np.array(pixels)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    # The tables of a resize grow with the longer side; reducing first by whole factors bounds them.
    gap = 3.0 if max(image.size) > LONGEST_SIDE else None
    return np.asarray(image.resize(size, _RESAMPLING[record.interpolation], box, gap), dtype=np.uint8)


def _cropped_to_ink(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    left, top, right, bottom = ink_box(pixels)
    return pixels[top:bottom, left:right]


def is_ink(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """What counts as drawn: (height, width, 3) -> (height, width)."""
    return np.asarray(darkness(pixels) >= _INK)


def ink_box(pixels: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is drawn, in px."""
    inked = is_ink(pixels)
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    if len(rows) == 0:  # only faint marks: the sheet as it is
        return 0, 0, pixels.shape[1], pixels.shape[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def stroke_frame(sketch: StrokeSketch, record: Preprocessing) -> tuple[tuple[float, float], tuple[float, float]]:
    """(scale, offset) in px: point p of a stroke lands at p * scale + offset on the model's square."""
    size = record.size
    if record.placement == "ink" or sketch.sheet is None:
        # Without a sheet the position on it is unknown.
        left, top, right, bottom = sketch.bounds()
        longest = max(right - left, bottom - top)
        # A single dot has no extent: it goes to the middle at any scale.
        across = down = size * (1 - 2 * record.margin) / longest if longest > 1e-9 else 0.0
    else:
        left, top, (right, bottom) = 0.0, 0.0, sketch.sheet
        across, down = size / right, size / bottom
        if record.fit != "squash":
            across = down = min(across, down) if record.fit == "pad" else max(across, down)
    return (across, down), ((size - (left + right) * across) / 2, (size - (top + bottom) * down) / 2)


def _fit_strokes(sketch: StrokeSketch, record: Preprocessing) -> NDArray[np.uint8]:
    """Render strokes at their final size, so that their width does not depend on the size of the drawing."""
    size = record.size
    scale, offset = stroke_frame(sketch, record)
    drawn = render(sketch, (size, size), scale, offset, record.stroke_width * size)
    if record.placement == "as_drawn" and sketch.sheet is not None and record.fit == "pad":
        columns, rows = round(max(offset[0], 0)), round(max(offset[1], 0))
        framed = np.empty_like(drawn)
        framed[:] = record.fill
        inside = (slice(rows, size - rows), slice(columns, size - columns))
        framed[inside] = drawn[inside]
        return framed
    return drawn
