import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sketchseek.evaluation.similarity import BLOCK_NUMBERS, unit_rows


def vectors(rows: int, size: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((rows, size), np.float32)


@pytest.mark.parametrize("size", [1, 2, 3, 17, 512, 4096])
def test_the_product_is_exact_whatever_the_order(size: int) -> None:
    # Non-negative rows that resemble each other: large sums, where rounding would show.
    left, right = (unit_rows(np.abs(vectors(5, size, seed))) for seed in (1, 2))
    product = left @ right.T
    for i in range(5):
        for j in range(5):
            whole = sum(int(a * 2**26) * int(b * 2**26) for a, b in zip(left[i], right[j], strict=True))
            assert product[i, j] * 2.0**52 == whole
    shuffled = np.random.default_rng(3).permutation(size)
    assert np.array_equal(left[:, shuffled] @ right[:, shuffled].T, product)
    assert math.fsum(left[0] * right[0]) == product[0, 0]


def test_the_product_of_a_row_with_itself_stays_below_2_and_exact_at_the_worst() -> None:
    for size in (1, 3, 1000, 65536):
        row = unit_rows(np.ones((1, size)))
        assert (row @ row.T)[0, 0] == math.fsum(row[0] * row[0]) == pytest.approx(1, abs=1e-4)


def test_cosines_are_closer_than_float32_ones() -> None:
    left, right = vectors(50, 512, 1), vectors(60, 512, 2)
    true = (left.astype(np.longdouble) @ right.astype(np.longdouble).T) / np.outer(
        np.linalg.norm(left.astype(np.longdouble), axis=1), np.linalg.norm(right.astype(np.longdouble), axis=1)
    )
    assert np.abs(unit_rows(left) @ unit_rows(right).T - true).max() < 4e-8


def test_a_row_never_depends_on_the_others_nor_on_the_layout() -> None:
    size = 700
    many = vectors(BLOCK_NUMBERS // size + 10, size)
    units = unit_rows(many)
    for i in (0, 1, len(many) - 11, len(many) - 1):
        assert np.array_equal(unit_rows(many[i : i + 1])[0], units[i])
    picked = np.array([5, len(many) - 1, 5, 0])
    assert np.array_equal(unit_rows(many, picked), units[picked])
    assert np.array_equal(unit_rows(np.asfortranarray(many[:50])), units[:50])


def test_any_scale_and_any_kind_of_number() -> None:
    rows = np.array([[3.0, 4.0, 0.0], [-1.0, 2.0, 2.0]])
    expected = np.array([[0.6, 0.8, 0], [-1 / 3, 2 / 3, 2 / 3]])
    for scale in (1.0, 2.0**-1000, 1e300, 5e-324, 1e-310):
        assert unit_rows(rows * scale) == pytest.approx(expected, abs=2**-26)
    for kind in (np.float16, np.float32, np.int8, np.int64):
        assert unit_rows(rows.astype(kind)) == pytest.approx(expected, abs=2**-26)
    assert np.array_equal(unit_rows(rows * 8), unit_rows(rows))
