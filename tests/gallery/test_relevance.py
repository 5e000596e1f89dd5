"""What relevance says of a gallery: from the photos in it, whatever the model."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sketchseek.gallery.relevance import OFFSET, SIZE_SLOPE, SLOPE, Background, relevance


def crowd(seed: int, count: int, size: int = 16) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(count, size)).astype(np.float32) + 0.5
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


@given(seed=st.integers(0, 1000), count=st.integers(2, 200), photos=st.integers(1, 10**7))
def test_it_is_its_definition(seed: int, count: int, photos: int) -> None:
    vectors = crowd(seed, count)
    query = vectors[0]
    usual = [float(row.astype(float) @ query.astype(float)) for row in vectors]
    mean = sum(usual) / count
    deviation = math.sqrt(sum((x - mean) ** 2 for x in usual) / count)
    fits = np.linspace(-1, 1, 9)
    odds = [
        SLOPE * (fit - mean) / deviation + SIZE_SLOPE * math.log(min(max(photos, 30), 15_000)) + OFFSET for fit in fits
    ]
    found = relevance(Background(vectors.astype(np.float64), photos), query, fits)
    np.testing.assert_allclose(found, [1 / (1 + math.exp(-x)) for x in odds], rtol=1e-4, atol=1e-6)
    assert np.all(np.diff(found) >= 0)


def test_the_same_photo_is_less_likely_among_more() -> None:
    vectors = crowd(1, 100)
    fits = np.array([0.9])
    few, many = (
        relevance(Background(vectors.astype(np.float64), photos), vectors[0], fits)[0] for photos in (100, 10_000)
    )
    assert few > many


@pytest.mark.parametrize("vectors", [np.empty((0, 4), np.float32), np.full((1, 4), 0.5, np.float32)])
def test_a_gallery_of_one_photo_has_nothing_to_compare_with(vectors: NDArray[np.float32]) -> None:
    found = relevance(
        Background(vectors.astype(np.float64), len(vectors)), np.full(4, 0.5, np.float32), np.array([1.0, 0.2])
    )
    assert found.tolist() == [0.5, 0.5]
