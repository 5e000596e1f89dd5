"""Lay a drawing over a photo's outlines: how alike they are, wherever the drawing lies and whatever its size.

The outlines of a photo are a map of where a person would draw lines. Kept of it is, for each of 14 x 14 cells, how
strong lines are in each of four directions: 392 bytes. A drawing is compared in four sizes at 81 places, by cosine, and
the best of them counts. How this was chosen: docs/notes/neighbours.md.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 56  # px of a map
CELLS, DIRECTIONS = 14, 4
BYTES = CELLS * CELLS * DIRECTIONS // 2  # of a photo: four bits a number
SIZES = (0.6, 0.75, 0.9, 1.0)  # of a drawing, relative to the photo's longer side
SHIFT = 4  # cells in each direction

Maps = NDArray[np.float32]


def pack(maps: Maps, shapes: Sequence[tuple[int, ...]]) -> NDArray[np.uint8]:
    """Maps (n, SIDE, SIDE) of photos squashed into squares -> (n, BYTES); ``shapes``: (height, width) of each photo."""
    found = directed(np.stack([_unsquashed(one, shape) for one, shape in zip(maps, shapes, strict=True)]))
    most = np.maximum(found.max(axis=1, keepdims=True), 1e-9)
    levels = np.rint(np.sqrt(found / most) * 15).astype(np.uint8)  # the root keeps weak lines apart
    return np.asarray(levels[:, 0::2] << 4 | levels[:, 1::2], np.uint8)


def unpack(packed: NDArray[np.uint8]) -> Maps:
    """(n, BYTES) -> (n, CELLS * CELLS * DIRECTIONS), at length 1; 0 for a photo without any line."""
    wide = _LEVELS[packed].reshape(len(packed), -1)
    lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    return np.asarray(wide / np.maximum(lengths, 1e-9)[:, None], np.float32)


def likeness(ink: Maps, packed: NDArray[np.uint8]) -> Maps:
    """How well a drawing (SIDE, SIDE), ink 1 on paper 0, fits each photo (n, BYTES): 0..1, (n,)."""
    return np.asarray((unpack(packed) @ _laid(ink).T).max(axis=1, initial=0.0), np.float32)


def directed(maps: Maps) -> Maps:
    """Lines (n, SIDE, SIDE) -> their strength by direction in each cell, (n, DIRECTIONS * CELLS * CELLS)."""
    smooth = _FINE @ maps @ _FINE.T
    down, across = np.gradient(smooth, axis=1), np.gradient(smooth, axis=2)
    xx, yy, xy = (_COARSE @ part @ _COARSE.T for part in (across * across, down * down, across * down))
    strength, cosine, sine = np.sqrt(xx + yy), xx - yy, 2 * xy  # of twice the angle
    size = np.maximum(np.hypot(cosine, sine), 1e-9)
    found = []
    for number in range(DIRECTIONS):
        angle = 2 * np.pi * number / DIRECTIONS
        along = np.maximum((cosine * np.cos(angle) + sine * np.sin(angle)) / size, 0)
        found.append((strength * along * along).reshape(-1, CELLS, SIDE // CELLS, CELLS, SIDE // CELLS).mean((2, 4)))
    return np.stack(found, axis=1).reshape(len(maps), -1).astype(np.float32)


def _laid(ink: Maps) -> Maps:
    """The drawing in each size at each place: (sizes * places, DIRECTIONS * CELLS * CELLS).

    In its own place it has length 1; what is moved beyond the border is lost, and so is its share.
    """
    drawn = directed(np.stack([_shrunk(ink, size) for size in SIZES]))
    drawn /= np.maximum(np.linalg.norm(drawn, axis=1, keepdims=True), 1e-9)
    around = ((0, 0), (0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT))
    roomy = np.pad(drawn.reshape(-1, DIRECTIONS, CELLS, CELLS), around)
    places = np.lib.stride_tricks.sliding_window_view(roomy, (CELLS, CELLS), axis=(2, 3))
    return np.ascontiguousarray(places.transpose(0, 2, 3, 1, 4, 5)).reshape(-1, drawn.shape[1])


def _shrunk(ink: Maps, size: float) -> Maps:
    """The drawing at a fraction of its size, in the middle."""
    return _in_the_middle(ink, round(SIDE * size), round(SIDE * size))


def _unsquashed(lines: Maps, shape: tuple[int, ...]) -> Maps:
    """The map of a photo at the photo's own proportions, in the middle."""
    height, width = shape[:2]
    longest = max(height, width)
    return _in_the_middle(lines, max(1, round(SIDE * height / longest)), max(1, round(SIDE * width / longest)))


def _in_the_middle(picture: Maps, height: int, width: int) -> Maps:
    if (height, width) == (SIDE, SIDE):
        return picture
    found = np.zeros((SIDE, SIDE), np.float32)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    resized = Image.fromarray(picture).resize((width, height), Image.Resampling.BOX)
    found[top : top + height, left : left + width] = np.asarray(resized)
    return found


def _blur(deviation: float) -> Maps:
    """A matrix that smooths a map from the left, and transposed from the right."""
    steps = np.arange(SIDE)
    weights = np.exp(-(((steps[:, None] - steps) / deviation) ** 2) / 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


_FINE, _COARSE = _blur(0.75), _blur(1.5)
_BYTE = np.arange(256)
_LEVELS = (np.stack([_BYTE >> 4, _BYTE & 15], axis=1).astype(np.float32) / 15) ** 2
