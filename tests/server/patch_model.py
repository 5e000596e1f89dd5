"""The small test model with vectors for 4 x 4 patches: the mean colour of each cell, inked cells of drawings.

It takes a line along the top for a roof or a shelf, and knows no other drawing.
"""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchseek.pictures import Preprocessing, Sketch, fit, sketch_from_strokes
from tests.gallery.grid_model import GridModel

ROOF = sketch_from_strokes([[[100, 900], [96, 96]]], sheet=(1000, 800))


class PatchModel(GridModel):
    grid = 4
    can_guess = True

    def __init__(self) -> None:
        super().__init__("patches")
        self.record = SimpleNamespace(
            photos=Preprocessing(size=64, fit="squash"),
            sketches=Preprocessing(size=64, placement="as_drawn", fit="squash"),
            graphs={"photo_patches": "p.onnx", "sketch_patches": "p.onnx"},
        )

    def patches_photos(self, photos: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.stack([self._patches(fit(photo, self.record.photos)) for photo in photos])

    def patches_sketches(self, sketches: Sequence[Sketch]) -> NDArray[np.float32]:
        return np.stack([self._patches(fit(sketch, self.record.sketches)) for sketch in sketches])

    def guess(self, vectors: NDArray[np.float32]) -> list[list[str]]:
        (roof,) = self.encode_sketches([ROOF])
        return [["roof", "shelf"] if vector @ roof > 0.9995 else [] for vector in vectors]

    def _patches(self, square: NDArray[np.uint8]) -> NDArray[np.float32]:
        cells = Image.fromarray(square).resize((4, 4), Image.Resampling.BOX)
        colours = np.asarray(cells, np.float32).reshape(16, 3) / 255 - 0.5
        vectors = np.zeros((16, self.size), np.float32)
        vectors[:, :3] = colours
        vectors[:, 3] = 0.1
        units: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return units
