from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import sketchseek.evaluation.second_look
from sketchseek.evaluation.ranking import rank_relevant
from sketchseek.evaluation.relevance import Relevance, by_instance, by_label
from sketchseek.evaluation.report.toplists import top_photos
from sketchseek.evaluation.second_look import Outlines
from sketchseek.neighbours import LOOKS, POOL
from sketchseek.outlines import BYTES, SIDE, likeness
from tests.evaluation.oracle import looked_again
from tests.evaluation.test_ranking import as_dict, cases, crowd
from tests.evaluation.test_ranking import slow_ranks as direct_ranks

Vectors = NDArray[np.generic]
NEW = [look for look in LOOKS if look != "direct"]


def slow_ranks(queries: Vectors, gallery: Vectors, relevance: Relevance, look: Any, pool: int) -> dict[int, list[int]]:
    def rescore(scores: list[int], photos: Any, query: Any) -> list[int]:
        return looked_again(scores, photos, query, look, pool)

    return direct_ranks(queries, gallery, relevance, rescore)


@settings(max_examples=150)
@given(cases(), st.sampled_from(NEW), st.sampled_from([1, 2, 5, POOL]))
def test_ranks_are_those_of_the_slow_way(case: Any, look: Any, pool: int) -> None:
    queries, gallery, relevance, chunk = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sketchseek.evaluation.second_look, "POOL", pool)
        found = as_dict(rank_relevant(queries, gallery, relevance, look=look, chunk=chunk))
    assert found == slow_ranks(queries, gallery, relevance, look, pool)


@pytest.mark.parametrize("look", NEW)
def test_ranks_of_a_larger_case_are_those_of_the_slow_way(look: Any) -> None:
    (queries, query_labels), (gallery, gallery_labels) = crowd(6, 1), crowd(260, 2)
    relevance = by_label(query_labels, gallery_labels)
    found = as_dict(rank_relevant(queries, gallery, relevance, look=look))
    assert found == slow_ranks(queries, gallery, relevance, look, POOL)
    assert found != as_dict(rank_relevant(queries, gallery, relevance))


@pytest.mark.parametrize("look", NEW)
def test_neither_chunks_nor_order_change_a_rank(look: Any) -> None:
    (queries, query_labels), (gallery, gallery_labels) = crowd(60, 1), crowd(900, 2)
    before = as_dict(rank_relevant(queries, gallery, by_label(query_labels, gallery_labels), look=look))
    for seed, chunk in enumerate([1, 7, 256]):
        draw = np.random.default_rng(seed)
        q, g = draw.permutation(60), draw.permutation(900)
        relevance = by_label(query_labels[q], gallery_labels[g])
        after = as_dict(rank_relevant(queries[q], gallery[g], relevance, look=look, chunk=chunk))
        assert {int(q[i]): row for i, row in after.items()} == before


@pytest.mark.parametrize("look", NEW)
def test_only_the_nearest_change_places_and_stay_ahead(look: Any) -> None:
    queries, gallery = crowd(5, 1)[0], crowd(700, 2)[0]
    relevance = by_instance(np.zeros(5), np.zeros(700), np.arange(5), np.arange(700), within_class=False)
    orders = [top_photos(queries, gallery, relevance, 700, one).photos for one in ("direct", look)]
    for direct, again in zip(*orders, strict=True):
        assert direct[: POOL - 10].tolist() != again[: POOL - 10].tolist()
        assert set(direct[: POOL - 10]) <= set(again[:POOL])
        assert direct[POOL + 10 :].tolist() == again[POOL + 10 :].tolist()


@pytest.mark.parametrize("look", NEW)
def test_a_model_that_maps_all_to_one_point_finds_nothing(look: Any) -> None:
    for photos in (10, POOL + 10):
        labels = np.arange(photos)
        same = np.full((photos, 4), 0.1, np.float32)
        ranks = as_dict(rank_relevant(same[:5], same, by_label(labels[:5], labels), look=look))
        assert all(row == [photos] for row in ranks.values())


@pytest.mark.parametrize("look", NEW)
@pytest.mark.parametrize("within_class", [False, True])
def test_the_lists_of_a_report_are_in_the_order_of_the_ranks(look: Any, within_class: bool) -> None:
    (queries, query_labels), (gallery, gallery_labels) = crowd(20, 1), crowd(300, 2)
    relevance = by_instance(query_labels, gallery_labels, np.arange(20), np.arange(300), within_class=within_class)
    ranks = as_dict(rank_relevant(queries, gallery, relevance, look=look))
    tops = top_photos(queries, gallery, relevance, 300, look)
    assert {row: [int(np.flatnonzero(tops.right[row])[0]) + 1] for row in ranks} == ranks


@pytest.mark.parametrize("look", NEW)
def test_within_a_class_only_its_photos_are_compared(look: Any) -> None:
    (queries, query_labels), (gallery, gallery_labels) = crowd(30, 1), crowd(300, 2)
    whole = by_instance(query_labels, gallery_labels, np.arange(30), np.arange(300), within_class=True)
    found = as_dict(rank_relevant(queries, gallery, whole, look=look))
    for label in np.unique(query_labels):
        q, g = np.flatnonzero(query_labels == label), np.flatnonzero(gallery_labels == label)
        part = as_dict(rank_relevant(queries[q], gallery[g], by_label(q, g), look=look))
        assert {int(q[row]): ranks for row, ranks in part.items()} == {
            row: found[row] for row in q.tolist() if row in found
        }


@pytest.mark.parametrize("look", NEW)
def test_drawings_are_laid_over_the_outlines_of_the_photos_in_the_pool(look: Any) -> None:
    (queries, query_labels), (gallery, gallery_labels) = crowd(5, 1), crowd(40, 2)
    random = np.random.default_rng(3)
    inks = (random.random((5, SIDE, SIDE)) > 0.95).astype(np.float32)
    content = np.unique(gallery, axis=0, return_inverse=True)[1]  # equal photos have equal outlines
    lines = random.integers(0, 256, (40, BYTES)).astype(np.uint8)[content]
    relevance = by_label(query_labels, gallery_labels)
    found = as_dict(rank_relevant(queries, gallery, relevance, look=look, outlines=Outlines(inks, lines)))
    numbers = iter(range(5))

    def rescore(scores: list[int], photos: Any, query: Any) -> list[int]:
        return looked_again(scores, photos, query, look, POOL, likeness(inks[next(numbers)], lines).astype(float))

    assert found == direct_ranks(queries, gallery, relevance, rescore)
    assert (found == as_dict(rank_relevant(queries, gallery, relevance, look=look))) == (look == "kind")
