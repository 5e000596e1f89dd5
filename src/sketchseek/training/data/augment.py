"""Random changes to prepared training pictures (side, side, 3), uint8."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchseek.methods.method import Augmentation

Picture = NDArray[np.uint8]

MOST_DEGREES = 30.0
WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Changes:
    """Random changes to the pictures of one triplet."""

    flip: bool
    degrees: float
    grey: bool


def draw_changes(chances: Augmentation, random: np.random.Generator) -> Changes:
    """Draw four numbers whatever the chances are, so that one chance never affects the other changes."""
    flip, rotate, angle, grey = random.random(4)
    return Changes(
        flip < chances.flip,
        (2 * angle - 1) * MOST_DEGREES if rotate < chances.rotate else 0.0,
        grey < chances.grayscale,
    )


def change(sketch: Picture, positive: Picture, negative: Picture, changes: Changes) -> tuple[Picture, Picture, Picture]:
    """Apply the changes. Sketch and positive move together, so that the drawing still matches its photo; both photos
    become grey together, so that colour does not tell them apart.
    """
    if changes.flip:
        sketch, positive = sketch[:, ::-1], positive[:, ::-1]
    if changes.degrees:
        sketch, positive = _rotated(sketch, changes.degrees), _rotated(positive, changes.degrees)
    if changes.grey:
        positive, negative = _grey(positive), _grey(negative)
    return sketch, positive, negative


def _rotated(picture: Picture, degrees: float) -> Picture:
    rotated = Image.fromarray(picture).rotate(degrees, Image.Resampling.BILINEAR, fillcolor=WHITE)
    return np.asarray(rotated)


def _grey(picture: Picture) -> Picture:
    return np.asarray(Image.fromarray(picture).convert("L").convert("RGB"))
