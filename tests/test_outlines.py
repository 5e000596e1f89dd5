"""Laying a drawing over outlines, against a slow and obvious version, and what must hold for any drawing."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sketchseek.outlines import BYTES, CELLS, DIRECTIONS, SHIFT, SIDE, SIZES, _shrunk, directed, likeness, pack, unpack

SQUARE = (SIDE, SIDE)
Map = NDArray[np.float32]


def line(*places: tuple[int, int]) -> Map:
    """A map of lines from place to place, each (row, column)."""
    found = np.zeros(SQUARE, np.float32)
    for (top, left), (bottom, right) in pairwise(places):
        for step in np.linspace(0, 1, 200):
            found[round(top + step * (bottom - top)), round(left + step * (right - left))] = 1
    return found


TRIANGLE = line((14, 28), (42, 14), (42, 42), (14, 28))
CROSS = line((14, 14), (42, 42)) + line((14, 42), (42, 14))


def slow_likeness(ink: Map, photo: Map) -> float:
    """The best cosine of the drawing with the photo's numbers over all sizes and places, cell by cell."""
    best, length = 0.0, math.sqrt(sum(float(x) ** 2 for x in photo))
    shown = photo.reshape(DIRECTIONS, CELLS, CELLS)
    for size in SIZES:
        drawn = directed(_shrunk(ink, size)[None])[0].reshape(DIRECTIONS, CELLS, CELLS)
        norm = math.sqrt(float((drawn.astype(float) ** 2).sum()))
        for down in range(-SHIFT, SHIFT + 1):
            for across in range(-SHIFT, SHIFT + 1):
                total = 0.0
                for row in range(CELLS):
                    for column in range(CELLS):
                        if 0 <= row - down < CELLS and 0 <= column - across < CELLS:
                            total += float(drawn[:, row - down, column - across] @ shown[:, row, column])
                if norm > 1e-9 and length > 1e-9:
                    best = max(best, total / norm / length)
    return best


@pytest.mark.parametrize("drawing", [TRIANGLE, CROSS, line((10, 10), (10, 40))])
def test_it_is_its_definition(drawing: Map) -> None:
    random = np.random.default_rng(0)
    photos = np.stack([TRIANGLE, CROSS, random.random(SQUARE).astype(np.float32)])
    packed = pack(photos, [SQUARE] * 3)
    slow = [slow_likeness(drawing, one) for one in unpack(packed)]
    np.testing.assert_allclose(likeness(drawing, packed), slow, atol=1e-4)


def test_a_drawing_fits_the_photo_of_its_shape_best_moved_and_smaller() -> None:
    moved = np.roll(_shrunk(TRIANGLE, 0.75), (8, -8), axis=(0, 1))
    packed = pack(np.stack([CROSS, moved, np.zeros(SQUARE, np.float32)]), [SQUARE] * 3)
    found = likeness(TRIANGLE, packed)
    assert found.argmax() == 1
    assert found[1] > 0.9
    assert found[2] == 0


def test_a_wide_photo_is_compared_at_its_own_proportions() -> None:
    squashed = np.repeat(TRIANGLE[14:42], 2, axis=0)  # the map of a photo twice as wide as high
    (at_its_proportions,) = likeness(TRIANGLE, pack(squashed[None], [(28, 56)]))
    (as_a_square,) = likeness(TRIANGLE, pack(squashed[None], [SQUARE]))
    assert at_its_proportions > as_a_square + 0.05


@given(seed=st.integers(0, 10_000), height=st.integers(1, 5000), width=st.integers(1, 5000))
def test_any_photo_is_packed_into_its_bytes(seed: int, height: int, width: int) -> None:
    random = np.random.default_rng(seed)
    maps = (random.random((2, *SQUARE)) ** 4).astype(np.float32)
    packed = pack(maps, [(height, width), (width, height)])
    assert packed.shape == (2, BYTES)
    assert packed.dtype == np.uint8
    lengths = np.linalg.norm(unpack(packed), axis=1)
    assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))


@given(packed=st.binary(min_size=BYTES, max_size=BYTES), seed=st.integers(0, 1000))
def test_any_bytes_give_a_number_from_0_to_1(packed: bytes, seed: int) -> None:
    ink = (np.random.default_rng(seed).random(SQUARE) > 0.9).astype(np.float32)
    for drawing in (ink, np.zeros(SQUARE, np.float32)):
        (found,) = likeness(drawing, np.frombuffer(packed, np.uint8)[None])
        assert 0 <= found <= 1 + 1e-5
