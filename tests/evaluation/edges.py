"""A tiny model for tests: histograms of edge directions. It recognises shapes a little; its numbers are no result."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sketchseek.pictures import Preprocessing, Sketch, fit

RECORD = Preprocessing(size=48, fit="squash", fill=(255, 255, 255), interpolation="bilinear")
CELLS, DIRECTIONS = 4, 8


class EdgeModel:
    """Counts what it encodes, so that a test can tell what came from a cache."""

    name = "edge directions"
    size = CELLS * CELLS * DIRECTIONS
    photo_side = 48

    def __init__(self, weight: float = 1.0) -> None:
        self._weight = weight
        self.encoded = {"sketches": 0, "photos": 0}

    @property
    def identity(self) -> str:
        return hashlib.sha256(f"edges-{self._weight}".encode()).hexdigest()

    def encode_photos(self, photos: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        self.encoded["photos"] += len(photos)
        return self._vectors([fit(photo, RECORD) for photo in photos])

    def encode_sketches(self, sketches: Sequence[Sketch]) -> NDArray[np.float32]:
        self.encoded["sketches"] += len(sketches)
        return self._vectors([fit(sketch, RECORD) for sketch in sketches])

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise NotImplementedError("edges know no words")

    def _vectors(self, pictures: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        rows = np.stack([histogram(picture) for picture in pictures])
        rows[:, 0] *= self._weight
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


class CategoryEdgeModel(EdgeModel):
    """Offers to be adapted to a category: the support pictures turn one weight."""

    name = "adaptable edge directions"

    def __init__(self, support: tuple[int, int] = (1, 2)) -> None:
        super().__init__()
        self.support = support
        self.supports: dict[str, tuple[int, int]] = {}
        self.adapted: list[EdgeModel] = []

    def for_category(self, name: str, sketches: Sequence[Sketch], photos: Sequence[NDArray[np.uint8]]) -> EdgeModel:
        self.supports[name] = len(sketches), len(photos)
        inked = float(np.mean([fit(picture, RECORD).mean() for picture in (*sketches, *photos)]))
        self.adapted.append(EdgeModel(1 + inked / 255 + len(name)))
        return self.adapted[-1]


def histogram(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How much edge lies in which direction, in each of 4 x 4 cells: (128,), never all zero."""
    grey = picture.astype(np.float64).mean(axis=2)
    down, right = np.gradient(grey)
    strength = np.hypot(down, right)
    direction = (np.arctan2(down, right) % np.pi / np.pi * DIRECTIONS).astype(int) % DIRECTIONS
    side = len(grey) // CELLS
    cell = np.arange(len(grey)) // side
    place = (cell[:, None] * CELLS + cell[None, :]) * DIRECTIONS + direction
    found = np.bincount(place.ravel(), strength.ravel(), minlength=CELLS * CELLS * DIRECTIONS)
    return np.sqrt(found) + 1e-3
