"""A small honest model without weights: what colours are where, and where they change. Starts quickly."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchseek.pictures import Sketch

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 180, 40),
    "blue": (30, 60, 220),
    "yellow": (230, 220, 40),
    "black": (0, 0, 0),
}


class GridModel:
    """Mean colours of 4 x 4 cells and edge strengths: 65 numbers. ``flavour`` makes models whose vectors do not mix.

    Its lines are 8 x 8 bits: which cells are brighter than the whole photo. ``lines``: whether it has any.
    """

    photo_side = 16
    size = 65

    def __init__(self, flavour: str = "plain", *, lines: bool = True) -> None:
        self.name = f"grid-{flavour}"
        self.identity = f"grid/1/{flavour}"
        self.line_bytes = 8 if lines else 0
        self.encoded = 0
        self._turn = np.roll(np.arange(self.size), sum(map(ord, flavour)))

    def encode_photos(self, photos: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        self.encoded += len(photos)
        return np.stack([self._vector(photo) for photo in photos])

    def encode_photos_with_lines(
        self, photos: Sequence[NDArray[np.uint8]]
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        return self.encode_photos(photos), np.stack([lines_of(photo) for photo in photos])

    def encode_sketches(self, sketches: Sequence[Sketch]) -> NDArray[np.float32]:
        from sketchseek.pictures import Preprocessing, fit

        record = Preprocessing(size=64, placement="as_drawn", fit="squash")
        return np.stack([self._vector(fit(sketch, record)) for sketch in sketches])

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Names of colours mean a surface of that colour; other words are grey."""
        colours = [np.mean([COLOURS.get(word, (128, 128, 128)) for word in text.split()], axis=0) for text in texts]
        return np.stack([self._vector(np.full((16, 16, 3), colour, np.uint8)) for colour in colours])

    def _vector(self, photo: NDArray[np.uint8]) -> NDArray[np.float32]:
        small = np.asarray(Image.fromarray(photo).resize((4, 4), Image.Resampling.BOX), np.float32) / 255 - 0.5
        across, down = np.abs(np.diff(small, axis=1)).mean(-1), np.abs(np.diff(small, axis=0)).mean(-1)
        features = np.concatenate([small.ravel(), across.ravel()[:8], down.ravel()[:8], [0.1]])[self._turn]
        unit: NDArray[np.float32] = (features / np.linalg.norm(features)).astype(np.float32)
        return unit


def lines_of(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The lines (8,) of ``GridModel``."""
    grey = np.asarray(Image.fromarray(photo).convert("L").resize((8, 8), Image.Resampling.BOX), np.float32)
    return np.packbits(grey > grey.mean())
