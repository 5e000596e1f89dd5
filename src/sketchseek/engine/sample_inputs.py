"""Sample pictures and texts for tracing, comparing and golden vectors; the same on every machine."""

import numpy as np
from numpy.typing import NDArray

SAMPLE_TEXTS = ("cat", "a red fish, not a toy", "", "two hot air balloons over the sea at night, seen from below")


def sample_pictures(count: int, side: int, seed: int = 0) -> NDArray[np.uint8]:
    """Pictures uint8 (count, side, side, 3): colour gradients with boxes, every second one a line drawing on white."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] / side
    pictures = np.empty((count, side, side, 3), np.uint8)
    for number in range(count):
        drawing = number % 2 == 1
        colours = rng.uniform(0, 255, (3, 3))
        gradient = (
            colours[0] + rows[..., None] * (colours[1] - colours[0]) + columns[..., None] * (colours[2] - colours[0])
        )
        picture = np.full((side, side, 3), 255.0) if drawing else gradient
        for _ in range(4):
            top, left, height, width = rng.uniform(0.05, 0.6, 4)
            inside = (abs(rows - top - height / 2) < height / 2) & (abs(columns - left - width / 2) < width / 2)
            if drawing:
                inside &= abs(np.minimum(abs(rows - top), abs(columns - left))) < 0.02
            picture[inside] = 0 if drawing else rng.uniform(0, 255, 3)
        pictures[number] = picture.clip(0, 255).astype(np.uint8)
    return pictures
