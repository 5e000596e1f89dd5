"""Comparing a drawing's colours with those of photos, against a slow and obvious version, and what must hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sketchseek.colours import BYTES, CELLS, ENOUGH, LEVELS, SHIFT, Paint, closeness, likeness, pack, present

Colour = tuple[int, int, int]
RED, BLUE, GREY = (214, 40, 40), (43, 108, 212), (128, 128, 128)


def photo(top: Colour, bottom: Colour, height: int = 60, width: int = 90) -> NDArray[np.uint8]:
    found = np.empty((height, width, 3), np.uint8)
    found[: height // 2], found[height // 2 :] = top, bottom
    return found


def paint(*parts: tuple[Colour, slice]) -> Paint:
    """Colours, each over some rows of the sheet."""
    cover = np.zeros((len(parts), CELLS, CELLS), np.float32)
    for one, (_, rows) in zip(cover, parts, strict=True):
        one[rows] = 1
    return Paint(np.array([colour for colour, _ in parts], np.uint8), cover)


def packed(*photos: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.stack([np.frombuffer(pack(one), np.uint8) for one in photos])


def slow_likeness(drawing: Paint, photo: NDArray[np.uint8]) -> float:
    """Cell by cell, at each place."""
    near, weights = closeness(drawing.colours), np.sqrt(drawing.cover.astype(float))
    best = 0.0
    for down in range(-SHIFT, SHIFT + 1):
        for across in range(-SHIFT, SHIFT + 1):
            total = 0.0
            for number in range(len(weights)):
                for row in range(CELLS):
                    for column in range(CELLS):
                        y, x = row - down, column - across
                        if 0 <= y < CELLS and 0 <= x < CELLS:
                            total += weights[number, y, x] * near[number, photo[row * CELLS + column]]
            best = max(best, total / weights.sum())
    return best


@given(st.integers(0, 2**32 - 1))
def test_it_is_the_slow_version(seed: int) -> None:
    draw = np.random.default_rng(seed)
    cover = np.where(draw.random((2, CELLS, CELLS)) < 0.1, draw.random((2, CELLS, CELLS)), 0).astype(np.float32)
    drawing = Paint(draw.integers(0, 256, (2, 3), np.uint8), cover)
    photos = draw.integers(0, 256, (2, BYTES), np.uint8)  # what a damaged gallery may hold, too
    expected = [slow_likeness(drawing, one) if cover.any() else 0.0 for one in photos]
    assert likeness(drawing, photos) == pytest.approx(expected, abs=1e-4)


def test_the_place_of_a_colour_counts() -> None:
    drawing = paint((BLUE, slice(0, 4)), (RED, slice(8, 12)))
    right, upside_down, grey = likeness(drawing, packed(photo(BLUE, RED), photo(RED, BLUE), photo(GREY, GREY)))
    assert right > 0.8 > 0.4 > upside_down
    assert right > grey


def test_a_small_shift_costs_nothing_within_the_sheet() -> None:
    drawing = paint((RED, slice(4, 7)))
    near, far = photo(GREY, GREY, 120, 120), photo(GREY, GREY, 120, 120)
    near[60:90], far[100:] = RED, RED  # 1 and 3 cells lower than drawn
    near_fit, far_fit = likeness(drawing, packed(near, far))
    assert near_fit > 0.9
    assert far_fit < near_fit / 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (3000, 2), (7, 11)])
def test_photos_of_any_size_are_packed(shape: tuple[int, int]) -> None:
    found = pack(np.full((*shape, 3), 255, np.uint8))
    assert found == bytes([int(np.prod(LEVELS)) - 1]) * BYTES


def test_a_colour_is_closest_to_itself() -> None:
    near = closeness(np.array([RED, BLUE], np.uint8))
    assert near.shape == (2, 256)
    for number, colour in enumerate((RED, BLUE)):
        code = pack(np.full((12, 12, 3), colour, np.uint8))[0]
        assert near[number, code] > 0.8 > near[1 - number, code]


@given(st.integers(0, 2**32 - 1))
def test_a_colour_is_present_in_its_closest_cells(seed: int) -> None:
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (2, 3), np.uint8)
    photos = rng.integers(0, 252, (3, BYTES), np.uint8)
    found, near = present(colours, photos), closeness(colours)
    for row, one in enumerate(photos):
        best = [sorted((near[k][cell] for cell in one), reverse=True)[:ENOUGH] for k in range(2)]
        assert found[row] == pytest.approx(np.mean(best), abs=2e-5)


def test_where_a_colour_is_does_not_matter_for_its_presence() -> None:
    red = np.array([[214, 40, 40]], np.uint8)
    above, below, none = present(red, packed(photo(RED, BLUE), photo(BLUE, RED), photo(BLUE, BLUE)))
    assert above == below > 0.9 > 0.1 > none
