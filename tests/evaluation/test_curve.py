import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.evaluation.curve import RECALLS, CurveOf, interpolated_precision
from sketchseek.evaluation.ranking import Ranks


@given(st.integers(1, 40).flatmap(lambda n: st.lists(st.booleans(), min_size=n, max_size=n).filter(any)))
def test_curve_is_the_best_precision_from_each_recall_on(hits: list[bool]) -> None:
    total = sum(hits)
    points = [(sum(hits[: i + 1]), sum(hits[: i + 1]) / (i + 1)) for i in range(len(hits))]
    expected = [max(p for found, p in points if 10 * found >= step * total) for step in range(11)]
    ranks = np.flatnonzero(hits)[None] + 1
    np.testing.assert_allclose(interpolated_precision(ranks)[0], expected, rtol=1e-12)


def test_the_mean_passes_ranks_on_and_does_not_depend_on_their_order() -> None:
    draw = np.random.default_rng(0)
    parts = [Ranks(np.arange(5), np.sort(draw.permuted(np.tile(np.arange(1, 31), (5, 1)), axis=1)[:, :7]))]
    parts.append(Ranks(np.array([6, 5]), np.array([[1, 2], [2, 9]])))
    one, other = CurveOf(parts), CurveOf(parts[::-1])
    assert list(one) == parts
    assert len(list(other)) == 2
    assert one.mean().tolist() == other.mean().tolist()
    assert one.mean().shape == (len(RECALLS),)
