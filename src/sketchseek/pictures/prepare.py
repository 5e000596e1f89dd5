"""Pictures -> model input, as a preprocessing record says. One routine for training and for search."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchseek.pictures.preprocessing import WHITE, Preprocessing
from sketchseek.pictures.sketch import RasterSketch, Sketch, darkness
from sketchseek.pictures.strokes import StrokeSketch, render

_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_INK = 32  # darkness from which a pixel counts as drawn: above the noise of JPEG and of scanned paper


def prepare(picture: NDArray[np.uint8] | Sketch, record: Preprocessing) -> NDArray[np.float32]:
    """A photo (height, width, 3) or a sketch -> model input float32 (3, size, size)."""
    return normalise(fit(picture, record), record)


def prepare_batch(pictures: Iterable[NDArray[np.uint8] | Sketch], record: Preprocessing) -> NDArray[np.float32]:
    """Photos or sketches -> model input float32 (n, 3, size, size)."""
    prepared = [prepare(picture, record) for picture in pictures]
    return np.stack(prepared) if prepared else np.empty((0, 3, record.size, record.size), np.float32)


def normalise(fitted: NDArray[np.uint8], record: Preprocessing) -> NDArray[np.float32]:
    """What ``fit`` gave, uint8 (..., size, size, 3) -> float32 (..., 3, size, size), mean taken off, divided by std."""
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


def _fit_array(pixels: NDArray[np.uint8], record: Preprocessing) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    if record.fit == "squash":
        return _resized(pixels, (record.size, record.size), record)
    if record.fit == "pad":
        return _padded(pixels, record.size, record, record.fill)
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return _resized(pixels[top : top + side, left : left + side], (record.size, record.size), record)


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


def _resized(pixels: NDArray[np.uint8], size: tuple[int, int], record: Preprocessing) -> NDArray[np.uint8]:
    if pixels.shape[1::-1] == size:
        return np.array(pixels)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize(size, _RESAMPLING[record.interpolation]), dtype=np.uint8)


def _cropped_to_ink(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    inked = darkness(pixels) >= _INK
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    if len(rows) == 0:  # only faint marks: the sheet as it is
        return pixels
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _fit_strokes(sketch: StrokeSketch, record: Preprocessing) -> NDArray[np.uint8]:
    """Strokes are rendered at their final size: their width is the record's, whatever size they were drawn at."""
    left, top, right, bottom = sketch.bounds()
    if record.placement == "as_drawn" and sketch.sheet is not None:
        left, top, right, bottom = 0.0, 0.0, *sketch.sheet
        inner = float(record.size)
    else:
        inner = record.size * (1 - 2 * record.margin)
    width, height = right - left, bottom - top
    longest = max(width, height)
    # A single dot has no extent: it goes to the middle at any scale.
    scale = inner / longest if longest > 0 else 0.0
    offset = ((record.size - (left + right) * scale) / 2, (record.size - (top + bottom) * scale) / 2)
    return render(sketch, (record.size, record.size), scale, offset, record.stroke_width * record.size)
