"""Colours that words name beside a thing."""

import numpy as np
import pytest

from sketchseek.gallery.colour_words import COLOURS, named_colours


@pytest.mark.parametrize(
    ("text", "colours"),
    [
        ("red car", ["red"]),
        ("a photo of a Black-and-white cat!", ["black", "white"]),
        ("grey gray goose", ["grey"]),
        ("ein orangefarbenes Auto", []),
        ("red", []),
        ("a photo of red and blue", []),
        ("cat", []),
        ("", []),
    ],
)
def test_colours_beside_a_thing_are_named(text: str, colours: list[str]) -> None:
    found = named_colours(text)
    assert (found is None) == (not colours)
    if found is not None:
        assert found.tolist() == [list(COLOURS[colour]) for colour in colours]
        assert found.dtype == np.uint8
