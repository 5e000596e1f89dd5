"""Compare the patches of a drawing with those of a photo."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sketchseek.pictures import Preprocessing, Sketch, fit
from sketchseek.pictures.prepare import is_ink

Vectors = NDArray[np.float32]


def cosines(drawing: Vectors, inked: NDArray[np.int64], photo: Vectors) -> Vectors:
    """Similarity of each inked cell of the drawing to each cell of the photo (inked, cells).

    All patches of one picture share a component that does not depend on the place, and because of it some cells of a
    photo are similar to everything. So the mean of the blank cells is subtracted from the drawing, and the mean of all
    cells from the photo.
    """
    blank = np.delete(drawing, inked, axis=0)
    common = (blank if len(blank) else drawing).mean(axis=0)
    return np.asarray(_unit(drawing[inked] - common) @ _unit(photo - photo.mean(axis=0)).T, np.float32)


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6), np.float32)


def inked_cells(drawing: Sketch, preprocessing: Preprocessing, grid: int) -> NDArray[np.int64]:
    """Indexes of the cells that hold ink, row by row; all cells if none does."""
    ink = is_ink(fit(drawing, preprocessing))
    edges = list(pairwise(np.linspace(0, preprocessing.size, grid + 1).round().astype(int).tolist()))
    cells = np.flatnonzero([ink[top:bottom, left:right].any() for top, bottom in edges for left, right in edges])
    return cells if len(cells) else np.arange(grid**2)


def stretched(values: Vectors) -> list[float]:
    """Scaled from 0 for the least to 1 for the most similar; NaN becomes 0."""
    least, most = float(np.nanmin(values)), float(np.nanmax(values))
    shares = (np.nan_to_num(values, nan=least) - least) / max(most - least, 1e-6)
    return [round(float(share), 4) for share in shares]
