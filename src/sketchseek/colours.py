"""Lay a drawing's colours over a photo's: how well they agree, even if the drawing lies a little aside.

Kept of a photo is the mean colour of each of 12 x 12 cells, as one of 252 colours: 144 bytes. A drawing says of some
cells which colour they should have. They are compared in OKLab, where equal distances look alike; lightness counts less
than hue, because people draw a dark red car in plain red. The drawing is tried at 25 places, and the best counts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CELLS = 12
BYTES = CELLS * CELLS  # of a photo
LEVELS = np.array((6, 7, 6))  # of red, green and blue
SHIFT = 2  # cells in each direction
LIGHTNESS, SPREAD = 0.3, 0.1  # weight of squared lightness; the distance at which closeness has fallen to 0.6
ENOUGH = 12  # cells in which a photo shows a colour, to be of that colour
_CHUNK = 8192  # photos compared at once

Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Paint:
    """A drawing's ``colours``, uint8 (k, 3), and how much of each cell each of them covers, 0..1: (k, CELLS, CELLS)."""

    colours: NDArray[np.uint8]
    cover: Values


def pack(photo: NDArray[np.uint8]) -> bytes:
    """RGB (height, width, 3) of any size -> ``BYTES`` bytes, row by row from the top left."""
    image = Image.fromarray(np.ascontiguousarray(photo))
    small = np.asarray(image.resize((CELLS, CELLS), Image.Resampling.BOX, reducing_gap=3.0), np.float32)
    red, green, blue = np.moveaxis(np.rint(small / 255 * (LEVELS - 1)).astype(np.uint8), -1, 0)
    return bytes(((red * LEVELS[1] + green) * LEVELS[2] + blue).astype(np.uint8))


def likeness(paint: Paint, packed: NDArray[np.uint8]) -> Values:
    """How well a drawing's colours agree with those of each photo (n, BYTES): 0..1, (n,)."""
    tables, laid = closeness(paint.colours), _laid(paint.cover)
    found = np.zeros(len(packed), np.float32)
    for start in range(0, len(packed), _CHUNK):
        part = packed[start : start + _CHUNK]
        fits = sum(table[part] @ places.T for table, places in zip(tables, laid, strict=True))
        found[start : start + _CHUNK] = fits.max(axis=1)
    return found.round(5)  # no photo is better for the last bits of a product


def present(colours: NDArray[np.uint8], packed: NDArray[np.uint8]) -> Values:
    """How much of colours (k, 3) each photo (n, BYTES) shows, wherever they are: 0..1, (n,)."""
    found = [np.partition(table[packed], -ENOUGH, axis=1)[:, -ENOUGH:].mean(axis=1) for table in closeness(colours)]
    return np.asarray(np.mean(found, axis=0), np.float32).round(5)


def closeness(colours: NDArray[np.uint8]) -> Values:
    """How close each colour (k, 3) is to each of the colours that ``pack`` writes, 0..1: (k, 256)."""
    levels = np.meshgrid(*(np.linspace(0, 255, count) for count in LEVELS), indexing="ij")
    apart = oklab(colours)[:, None] - oklab(np.stack(levels, axis=-1).reshape(-1, 3))
    squared = (apart**2 * (LIGHTNESS, 1, 1)).sum(axis=2)
    found = np.zeros((len(colours), 256), np.float32)  # what pack never writes is close to nothing
    found[:, : squared.shape[1]] = np.exp(-squared / (2 * SPREAD**2))
    return found


def oklab(rgb: NDArray[np.generic]) -> NDArray[np.float64]:
    """sRGB, 0..255, (..., 3) -> lightness 0..1, and how green-red and how blue-yellow."""
    share = np.asarray(rgb, np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T)


def _laid(cover: Values) -> Values:
    """(k, CELLS, CELLS) -> the weight of every cell, the drawing at each place: (k, places, BYTES).

    In its own place the weights add up to 1; what is moved beyond the border is lost.
    """
    weights = np.sqrt(cover)  # thin lines count almost as broad ones
    weights /= max(float(weights.sum()), 1e-9)
    roomy = np.pad(weights, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)))
    places = np.lib.stride_tricks.sliding_window_view(roomy, (CELLS, CELLS), axis=(1, 2))
    return np.ascontiguousarray(places).reshape(len(cover), -1, BYTES)


# Björn Ottosson's OKLab (2020): linear sRGB -> cones, and the cube roots of these -> Lab.
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
