"""Colours that words name: of the photos that fit "red car" best, those with red in them come first."""

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

#: What people mean, as sRGB.
COLOURS: Mapping[str, tuple[int, int, int]] = {
    "white": (245, 245, 245),
    "black": (25, 25, 25),
    "grey": (128, 128, 128),
    "gray": (128, 128, 128),
    "brown": (110, 70, 40),
    "red": (200, 35, 35),
    "orange": (240, 130, 30),
    "yellow": (240, 210, 50),
    "green": (40, 140, 60),
    "turquoise": (60, 190, 190),
    "blue": (40, 80, 190),
    "purple": (130, 60, 160),
    "pink": (240, 140, 180),
    "beige": (225, 205, 170),
}
_FILLERS = {"a", "an", "the", "and", "or", "of", "in", "with", "photo", "picture"}


def named_colours(text: str) -> NDArray[np.uint8] | None:
    """The colours, (k, 3), that a text names beside a thing; None if it names no colour, or no thing."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    found = list(dict.fromkeys(COLOURS[word] for word in words if word in COLOURS))
    thing = any(word not in COLOURS and word not in _FILLERS for word in words)
    return np.array(found, np.uint8) if found and thing else None
