import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sketchseek.export.relevance import PRIOR, fit_curve


def drawn(seed: int = 0, right: int = 300, wrong: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of right and wrong pairs that overlap."""
    rng = np.random.default_rng(seed)
    cosines = np.concatenate((rng.normal(0.5, 0.12, right), rng.normal(0.2, 0.1, wrong)))
    return cosines, np.arange(right + wrong) < right


def test_the_curve_is_that_of_greatest_likelihood() -> None:
    cosines, right = drawn()
    for prior in (0.5, 1 / 11, 0.01):
        found = fit_curve(cosines, right, prior)
        assert found is not None
        weights = np.where(right, prior / right.sum(), (1 - prior) / (~right).sum()) * len(right)
        oracle = LogisticRegression(C=1e9, tol=1e-10, max_iter=1000)
        oracle.fit(10 * cosines[:, None], right, sample_weight=weights)
        slope, at_zero = 10 * oracle.coef_[0, 0], oracle.intercept_[0]
        assert found == pytest.approx((-at_zero / slope, 1 / slope), rel=1e-3)


def test_a_known_curve_is_found_again() -> None:
    rng = np.random.default_rng(1)
    cosines = rng.uniform(-0.2, 0.9, 200_000)
    right = rng.random(len(cosines)) < 1 / (1 + np.exp(-(cosines - 0.4) / 0.05))
    found = fit_curve(cosines.reshape(400, 500), right.reshape(400, 500), prior=float(right.mean()))
    assert found == pytest.approx((0.4, 0.05), rel=0.02)


def test_fewer_right_photos_make_a_photo_less_likely() -> None:
    cosines, right = drawn()
    common, rare = fit_curve(cosines, right, 0.2), fit_curve(cosines, right, 0.01)
    assert common is not None and rare is not None
    assert rare[0] > common[0] + 0.05


def test_where_a_cosine_says_nothing_there_is_no_curve() -> None:
    cosines, right = drawn()
    assert fit_curve(-cosines, right) is None
    assert fit_curve(cosines, np.zeros_like(right)) is None
    assert fit_curve(cosines, np.ones_like(right)) is None
    assert fit_curve(np.ones_like(cosines), right) is None


def test_right_and_wrong_that_hardly_overlap_still_give_a_curve() -> None:
    rng = np.random.default_rng(0)
    right = np.arange(4000) < 400
    cosines = np.where(right, rng.normal(0.5, 0.02, 4000), rng.normal(0.05, 0.05, 4000))
    cosines[:4], cosines[-4:] = 0.2, 0.45  # some lie on the other side
    curve = fit_curve(cosines, right)
    assert curve is not None
    middle, scale = curve
    assert 0.2 < middle < 0.5
    assert 0.005 < scale < 0.2
    chance = 1 / (1 + np.exp((middle - cosines) / scale))
    weights = np.where(right, PRIOR / right.sum(), (1 - PRIOR) / (~right).sum())
    slopes = [(weights * (right - chance)).sum(), (weights * (right - chance) * cosines).sum()]
    np.testing.assert_allclose(slopes, 0, atol=1e-8)  # no curve nearby is likelier
