import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sketchseek.errors import SketchseekError
from sketchseek.evaluation.metrics import checked_ks, measure
from tests.evaluation.oracle import oracle

LISTS = st.lists(st.booleans(), min_size=1, max_size=40).filter(any)
KS = st.lists(st.integers(1, 60), min_size=1, max_size=3, unique=True)


def ranks_of(hits: list[bool]) -> NDArray[np.int64]:
    return np.flatnonzero(hits)[None] + 1


@settings(max_examples=2000, deadline=None)
@given(hits=LISTS, ks=KS)
def test_every_metric_is_the_oracles(hits: list[bool], ks: list[int]) -> None:
    found = measure(ranks_of(hits), ks)
    assert {name: float(value[0]) for name, value in found.items()} == pytest.approx(oracle(hits, ks), abs=1e-12)


@pytest.mark.parametrize("hits", [[True], [False, True], [False] * 30 + [True], [True] * 5, [True] + [False] * 30])
@pytest.mark.parametrize("k", [1, 2, 5, 100])
def test_one_relevant_none_in_reach_all_relevant_and_k_beyond_the_gallery(hits: list[bool], k: int) -> None:
    found = measure(ranks_of(hits), [k])
    assert {name: float(value[0]) for name, value in found.items()} == pytest.approx(oracle(hits, [k]), abs=1e-12)


def test_hits_at_1_3_5_give_the_published_numbers() -> None:
    found = {name: float(value[0]) for name, value in measure(np.array([[1, 3, 5]]), [2, 3]).items()}
    assert found["map@all"] == pytest.approx(0.75556, abs=1e-5)
    # The definitions differ by half: this is why each has its own name.
    assert found["map@2:hits"] == 1.0
    assert found["map@2:voc"] == found["map@2:k"] == found["map@2:min"] == 0.5
    assert found["map@3:hits"] == pytest.approx(5 / 6)
    assert found["map@3:voc"] == pytest.approx(5 / 9)


def test_the_two_precisions_differ_only_where_fewer_than_k_are_relevant() -> None:
    few = measure(np.array([[1, 2, 7]]), [10])
    assert float(few["p@10"][0]) == pytest.approx(0.3)
    assert float(few["p@10:min"][0]) == pytest.approx(2 / 3)
    many = measure(np.array([[1, 2, 7]]), [2])
    assert float(many["p@2"][0]) == float(many["p@2:min"][0]) == 1.0


@settings(max_examples=300, deadline=None)
@given(hits=LISTS, ks=KS)
def test_values_stay_between_0_and_1_and_in_order(hits: list[bool], ks: list[int]) -> None:
    found = {name: float(value[0]) for name, value in measure(ranks_of(hits), ks).items()}
    assert all(0 <= value <= 1 + 1e-12 for name, value in found.items() if name != "mean_rank")
    assert found["map@all"] <= found["map@all:interpolated"] + 1e-12
    for k in ks:
        assert found[f"map@{k}:k"] <= found[f"map@{k}:min"] <= found[f"map@{k}:voc"] + 1e-12
        assert found[f"map@{k}:min"] <= found[f"map@{k}:hits"] + 1e-12


def test_a_query_is_measured_alike_alone_and_among_others() -> None:
    draw = np.random.default_rng(0)
    ranks = np.sort(np.stack([draw.choice(900, 317, replace=False) + 1 for _ in range(50)]), axis=1)
    together = measure(ranks, [100, 200])
    for i in range(50):
        alone = measure(ranks[i : i + 1], [100, 200])
        assert all(alone[name][0] == together[name][i] for name in together)


@settings(max_examples=200, deadline=None)
@given(scores=st.lists(st.integers(-(10**6), 10**6), min_size=2, max_size=40, unique=True), data=st.data())
def test_map_at_all_is_scikit_learns(scores: list[int], data: st.DataObject) -> None:
    from sklearn.metrics import average_precision_score

    relevant = data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)).filter(any))
    hits = [relevant[i] for i in np.argsort(scores)[::-1]]
    assert float(measure(ranks_of(hits), [1])["map@all"][0]) == pytest.approx(average_precision_score(relevant, scores))


def test_definitions_of_torchmetrics() -> None:
    import torch
    from torchmetrics.functional.retrieval import (
        retrieval_average_precision,
        retrieval_hit_rate,
        retrieval_precision,
        retrieval_r_precision,
    )

    draw = np.random.default_rng(1)
    for size, share in [(5, 0.5), (40, 0.05), (40, 0.5), (300, 0.1), (300, 0.9)] * 6:
        relevant = draw.random(size) < share
        relevant[draw.integers(size)] = True
        scores = 1 + draw.permutation(size) / size  # no ties, and positive: torchmetrics takes the others for wrong
        found = measure(ranks_of(list(relevant[np.argsort(-scores)])), [1, 10, 100])
        theirs = torch.tensor(scores), torch.tensor(relevant)
        expected = {
            "map@all": retrieval_average_precision(*theirs),
            "r_precision": retrieval_r_precision(*theirs),
            **{f"map@{k}:hits": retrieval_average_precision(*theirs, top_k=k) for k in (1, 10, 100)},
            **{f"p@{k}": retrieval_precision(*theirs, top_k=k) for k in (1, 10, 100)},
            **{f"acc@{k}": retrieval_hit_rate(*theirs, top_k=k) for k in (1, 10, 100)},
        }
        for name, value in expected.items():
            assert float(found[name][0]) == pytest.approx(float(value), abs=1e-6), name


def test_cut_offs_are_sorted_once_each_and_at_least_1() -> None:
    assert checked_ks([200, 100, 200]) == (100, 200)
    for wrong in ([], [0], [5, -1]):
        with pytest.raises(SketchseekError, match="at least 1"):
            checked_ks(wrong)
