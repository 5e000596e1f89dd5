from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sketchseek.evaluation.ranking import Ranks, rank_relevant
from sketchseek.evaluation.relevance import Relevance, by_instance, by_label
from tests.evaluation.oracle import ranked, steps

Floats = NDArray[np.generic]


def as_dict(ranks: Iterable[Ranks]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for part in ranks:
        for query, row in zip(part.queries, part.ranks, strict=True):
            assert int(query) not in found, "a query came twice"
            found[int(query)] = row.tolist()
    return found


def slow_ranks(
    queries: Floats,
    gallery: Floats,
    relevance: Relevance,
    rescore: Callable[[list[int], Floats, Floats], list[int]] = lambda scores, photos, query: scores,
) -> dict[int, list[int]]:
    """``rescore(scores, photos, query)``: a second look at what a query is compared with."""
    found = {}
    for i, query in enumerate(queries):
        seen = [
            j
            for j in range(len(gallery))
            if relevance.query_groups is None
            or relevance.gallery_groups is None
            or relevance.query_groups[i] == relevance.gallery_groups[j]
        ]
        hits = ranked(
            rescore([steps(query, gallery[j]) for j in seen], gallery[seen], query),
            [bool(relevance.query_keys[i] == relevance.gallery_keys[j]) for j in seen],
        )
        if any(hits):
            found[i] = [place + 1 for place, hit in enumerate(hits) if hit]
    return found


@st.composite
def cases(draw: st.DrawFn) -> tuple[Floats, Floats, Relevance, int | None]:
    """Few different vectors in few dimensions: most scores are tied with others."""
    size = draw(st.integers(1, 4))
    coordinates = st.lists(st.integers(-3, 3), min_size=size, max_size=size).filter(any)
    rows = st.sampled_from(draw(st.lists(coordinates, min_size=1, max_size=5)))
    queries = draw(st.lists(rows, min_size=1, max_size=8))
    gallery = draw(st.lists(rows, min_size=1, max_size=16))
    code = st.integers(0, 3)
    labels = [np.array(draw(st.lists(code, min_size=len(x), max_size=len(x)))) for x in (queries, gallery)]
    kind = draw(st.sampled_from(["label", "instance", "within class"]))
    if kind == "label":
        relevance = by_label(*labels)
    else:
        names = [np.array(draw(st.lists(code, min_size=len(x), max_size=len(x)))) for x in (queries, gallery)]
        relevance = by_instance(*labels, *names, within_class=kind == "within class")
    return (
        np.array(queries, np.float32),
        np.array(gallery, np.float32),
        relevance,
        draw(st.sampled_from([None, 1, 2, 7])),
    )


@settings(max_examples=1000, deadline=None)
@given(cases())
def test_ranks_are_those_of_a_full_sort(case: tuple[Floats, Floats, Relevance, int | None]) -> None:
    queries, gallery, relevance, chunk = case
    assert as_dict(rank_relevant(queries, gallery, relevance, chunk=chunk)) == slow_ranks(queries, gallery, relevance)


def crowd(rows: int, seed: int, size: int = 33) -> tuple[Floats, NDArray[np.int64]]:
    """Vectors around six centres, a fifth of them duplicates under any label."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 6, rows)
    centres = np.random.default_rng(99).standard_normal((6, size))
    found = (centres[labels] + draw.standard_normal((rows, size))).astype(np.float32)
    found[draw.integers(0, rows, rows // 5)] = found[draw.integers(0, rows, rows // 5)]
    return found, labels


def test_ranks_of_a_larger_case_are_those_of_a_full_sort() -> None:
    (queries, query_labels), (gallery, gallery_labels) = crowd(12, 1), crowd(150, 2)
    relevance = by_label(query_labels, gallery_labels)
    assert as_dict(rank_relevant(queries, gallery, relevance)) == slow_ranks(queries, gallery, relevance)


@pytest.mark.parametrize("chunk", [1, 7, 256])
def test_chunk_size_never_changes_a_rank(chunk: int) -> None:
    (queries, query_labels), (gallery, gallery_labels) = crowd(600, 1), crowd(1500, 2)
    relevance = by_label(query_labels, gallery_labels)
    whole = as_dict(rank_relevant(queries, gallery, relevance))
    assert as_dict(rank_relevant(queries, gallery, relevance, chunk=chunk)) == whole


def test_order_never_changes_a_rank() -> None:
    (queries, query_labels), (gallery, gallery_labels) = crowd(200, 1), crowd(900, 2)
    before = as_dict(rank_relevant(queries, gallery, by_label(query_labels, gallery_labels)))
    draw = np.random.default_rng(5)
    for _ in range(5):
        q, g = draw.permutation(200), draw.permutation(900)
        after = as_dict(rank_relevant(queries[q], gallery[g], by_label(query_labels[q], gallery_labels[g])))
        assert {int(q[i]): row for i, row in after.items()} == before


def test_equal_scores_count_against_the_relevant_photo() -> None:
    sketch = np.ones((1, 8), np.float32)
    photos = np.ones((5, 8), np.float32)
    labels = np.array([0, 1, 1, 0, 1])
    assert as_dict(rank_relevant(sketch, photos, by_label(np.array([0]), labels))) == {0: [4, 5]}


def test_a_model_that_maps_all_to_one_point_finds_nothing() -> None:
    labels = np.arange(10)
    same = np.full((10, 4), 0.1, np.float32)
    assert all(row == [10] for row in as_dict(rank_relevant(same, same, by_label(labels, labels))).values())


def test_queries_without_a_relevant_photo_do_not_come() -> None:
    (queries, _), (gallery, _) = crowd(4, 1), crowd(9, 2)
    relevance = by_label(np.array([0, 1, 9, 1]), np.array([0, 1] * 4 + [2]))
    assert sorted(as_dict(rank_relevant(queries, gallery, relevance))) == [0, 1, 3]


def test_stopping_early_leaves_nothing_behind() -> None:
    (queries, query_labels), (gallery, gallery_labels) = crowd(50, 1), crowd(90, 2)
    ranks = rank_relevant(queries, gallery, by_label(query_labels, gallery_labels), chunk=3)
    assert next(iter(ranks)).ranks.shape[1] > 0
    ranks.close()  # type: ignore[attr-defined]
