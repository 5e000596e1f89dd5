import numpy as np
import pytest

from sketchseek.evaluation.bootstrap import bootstrap_interval


def test_the_interval_of_a_known_spread() -> None:
    values = np.random.default_rng(0).normal(5, 2, (400, 1))
    low, high = bootstrap_interval(values, None, resamples=2000, seed=1)[:, 0]
    # Theory: mean +- 1.96 times the standard error.
    error = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - error, abs=0.03)
    assert high == pytest.approx(values.mean() + error, abs=0.03)


def test_copies_of_a_photos_sketches_add_no_certainty() -> None:
    values = np.random.default_rng(0).random((50, 2))
    photos = np.arange(50)
    once = bootstrap_interval(values, photos, resamples=500, seed=3)
    copied = bootstrap_interval(np.tile(values, (8, 1)), np.tile(photos, 8), resamples=500, seed=3)
    assert copied == pytest.approx(once)
    careless = bootstrap_interval(np.tile(values, (8, 1)), None, resamples=500, seed=3)
    assert (np.diff(careless, axis=0) < 0.6 * np.diff(once, axis=0)).all()


def test_clusters_of_unequal_size_weigh_by_their_sketches() -> None:
    values = np.array([[1.0]] * 9 + [[0.0]])
    low, high = bootstrap_interval(values, np.array([4] * 9 + [2]), resamples=400, seed=0)[:, 0]
    # Two photos: a draw holds the first twice, the second twice, or both.
    assert (low, high) == (0.0, 1.0)


def test_neither_order_nor_numbering_changes_a_bit() -> None:
    draw = np.random.default_rng(7)
    values, photos = draw.integers(0, 4, (60, 3)) / 3, draw.integers(0, 20, 60)
    before = bootstrap_interval(values, photos, resamples=100, seed=5)
    alone = bootstrap_interval(values, None, resamples=100, seed=5)
    for _ in range(10):
        order, renamed = draw.permutation(60), draw.permutation(20)
        assert np.array_equal(bootstrap_interval(values[order], renamed[photos[order]], resamples=100, seed=5), before)
        assert np.array_equal(bootstrap_interval(values[order], None, resamples=100, seed=5), alone)


def test_a_seed_is_a_draw_and_one_unit_has_no_spread() -> None:
    values = np.random.default_rng(0).random((30, 1))
    first, again, other = (bootstrap_interval(values, None, resamples=50, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert bootstrap_interval(values[:1], None, resamples=50, seed=0).tolist() == [[values[0, 0]]] * 2
