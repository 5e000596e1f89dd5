"""The second look at a search's nearest photos, against a slow and obvious version in plain Python."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sketchseek.neighbours import BLENDS, FIRST, LOOKS, PREFERENCE, look_again, neighbourhoods, prefer

Row = list[float]


def dot(a: Row, b: Row) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def unit(row: Row) -> Row:
    length = max(math.sqrt(dot(row, row)), 1e-9)
    return [x / length for x in row]


def standard(values: Row) -> Row:
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in values) / len(values))
    assume(deviation < 1e-6 or deviation > 1e-2)  # between them the last digits of single precision become large
    return [(x - mean) / deviation if deviation > 1e-5 else 0.0 for x in values]


def slow_neighbourhoods(rows: list[Row], count: int) -> list[Row]:
    around = []
    for row in rows:
        nearest = sorted(rows, key=lambda other: -dot(row, other))
        ties = count < len(rows) and dot(row, nearest[count - 1]) - dot(row, nearest[count]) < 1e-6
        assume(not ties)  # single precision may count another one among the nearest
        nearest = nearest[:count]
        mean = [0.0] * len(row)
        for other in nearest:
            weight = max(dot(row, other), 0) ** 3
            mean = [m + weight * x for m, x in zip(mean, other, strict=True)]
        around.append(unit(mean))
    return around


def slow_look(
    rows: list[Row], query: Row, scores: Row, look: Any, words: bool = False, likeness: Row | None = None
) -> Row:
    if look == "direct" or len(scores) < 2:
        return scores
    blend = BLENDS[look]
    around = slow_neighbourhoods(rows, blend.neighbours)
    fit = [dot(row, query) for row in around]
    best = sorted(range(len(rows)), key=lambda i: -fit[i])[:5]
    meant = unit([sum(max(fit[i], 1e-3) * around[i][axis] for i in best) for axis in range(len(query))])
    kind = [dot(row, meant) for row in around]
    close = [0.0] * len(rows)
    if blend.query_share:
        close = [c + blend.query_share * x for c, x in zip(close, standard(fit), strict=True)]
    if blend.kind_share:
        close = [c + blend.kind_share * x for c, x in zip(close, standard(kind), strict=True)]
    if blend.cap is not None:
        cap = sorted(close, reverse=True)[min(blend.cap, len(close)) - 1]
        close = [min(c, cap) for c in close]
    weight = blend.words_weight if words else blend.weight
    values = [s + weight * c for s, c in zip(standard(scores), standard(close), strict=True)]
    known = sorted(x for x in likeness or [] if not math.isnan(x))
    if not known or likeness is None:
        return values
    middle = (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2
    better = [0.0 if math.isnan(x) else max(x - middle, 0.0) for x in likeness]
    return [v + blend.outlines * b for v, b in zip(values, standard(better), strict=True)]


def made(seed: int, count: int, size: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """Vectors around a few centres, a query, and their cosines."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(3, size))
    vectors = (centres[random.integers(3, size=count)] + 0.7 * random.normal(size=(count, size))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    query = (centres[0] + random.normal(size=size)).astype(np.float32)
    query /= np.linalg.norm(query)
    return vectors, query, (vectors.astype(np.float64) @ query)


@pytest.mark.parametrize("look", LOOKS)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 60), size=st.integers(2, 12))
def test_it_is_its_definition(look: Any, seed: int, count: int, size: int) -> None:
    vectors, query, scores = made(seed, count, size)
    slow = slow_look(vectors.tolist(), query.tolist(), scores.tolist(), look)
    np.testing.assert_allclose(look_again(vectors, query, scores, look), slow, atol=2e-3)


@pytest.mark.parametrize("look", LOOKS)
@given(seed=st.integers(0, 10_000), count=st.integers(2, 30), unknown=st.floats(0, 1))
def test_words_weigh_less_and_outlines_are_added(look: Any, seed: int, count: int, unknown: float) -> None:
    vectors, query, scores = made(seed, count, 6)
    random = np.random.default_rng(seed)
    fits = np.where(random.random(count) < unknown, np.nan, random.random(count))
    slow = slow_look(vectors.tolist(), query.tolist(), scores.tolist(), look, True, fits.tolist())
    found = look_again(vectors, query, scores, look, words=True, likeness=fits)
    np.testing.assert_allclose(found, slow, atol=2e-3)


@given(seed=st.integers(0, 10_000))
def test_a_neighbourhood_of_one_is_the_vector_itself(seed: int) -> None:
    vectors, _, _ = made(seed, 20, 8)
    np.testing.assert_allclose(neighbourhoods(vectors, 1), vectors, atol=1e-6)


@pytest.mark.parametrize("look", ["picture", "both", "kind"])
def test_the_order_of_the_pool_changes_no_photos_value(look: Any) -> None:
    vectors, query, scores = made(3, 80, 16)
    turned = np.random.default_rng(0).permutation(80)
    plain = look_again(vectors, query, scores, look)
    np.testing.assert_allclose(look_again(vectors[turned], query, scores[turned], look), plain[turned], atol=1e-5)


@pytest.mark.parametrize("look", LOOKS)
def test_equal_photos_have_equal_values(look: Any) -> None:
    vectors = np.repeat(np.eye(4, dtype=np.float32)[:1], 30, axis=0)
    values = look_again(vectors, vectors[0], np.ones(30), look)
    assert len(set(values.tolist())) == 1


def test_photos_of_one_kind_gain_on_single_ones_that_score_well_by_chance() -> None:
    """Ten photos of a kind near the query among 600 others: how many of the first ten are of it, over 20 draws."""
    right = dict.fromkeys(LOOKS, 0)
    query = np.eye(40, dtype=np.float32)[0]
    for seed in range(20):
        random = np.random.default_rng(seed)
        kind = random.normal(0, 0.13, (10, 40)) + 0.35 * np.eye(40)[0] + 0.6 * np.eye(40)[1]
        vectors = np.concatenate([kind, random.normal(size=(600, 40))]).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        scores = vectors.astype(np.float64) @ query
        pool = np.argsort(-scores)[:200]
        for look in LOOKS:
            order = np.argsort(-look_again(vectors[pool], query, scores[pool], look))
            right[look] += int((pool[order[:10]] < 10).sum())
    assert right["direct"] <= right["picture"] < right["both"] < right["kind"]


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_a_preference_reorders_the_first_only(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    values, fit = rng.normal(size=count), rng.random(count)
    fit[rng.random(count) < 0.2] = np.nan
    found = prefer(values, fit)
    before, after = np.argsort(-values, kind="stable"), np.argsort(-found, kind="stable")
    assert set(before[:FIRST]) == set(after[:FIRST])
    assert before[FIRST:].tolist() == after[FIRST:].tolist()
    known = [one for one in fit[before[:FIRST]].tolist() if one == one]
    mean = sum(known) / len(known) if known else 0.0
    fits = [one if one == one else mean for one in fit[before[:FIRST]].tolist()]
    expected = np.array(standard(values[before[:FIRST]].tolist())) + PREFERENCE * np.array(standard(fits))
    order = dict(zip(before[:FIRST].tolist(), expected.tolist(), strict=True))
    assert all(order[a] >= order[b] - 1e-9 for a, b in pairwise(after[:FIRST].tolist()))
