import numpy as np
import pytest
from numpy.typing import NDArray

from sketchseek.errors import SketchseekError
from sketchseek.evaluation.ranking import rank_relevant
from sketchseek.evaluation.relevance import by_label
from sketchseek.evaluation.scoring import Scores, score
from tests.evaluation.oracle import oracle, ranked, steps

KS = (5, 50, 500)


def crowd(rows: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 5, rows)
    found = np.random.default_rng(99).standard_normal((5, 24))[labels] + 1.5 * draw.standard_normal((rows, 24))
    found[rows // 2 :: 3] = found[: len(found[rows // 2 :: 3])]  # duplicates, most under another label
    return found.astype(np.float32), labels


QUERIES, QUERY_LABELS = crowd(300, 1)
GALLERY, GALLERY_LABELS = crowd(400, 2)


def scores(queries: NDArray[np.intp], gallery: NDArray[np.intp], chunk: int | None = None) -> Scores:
    relevance = by_label(QUERY_LABELS[queries], GALLERY_LABELS[gallery])
    return score(rank_relevant(QUERIES[queries], GALLERY[gallery], relevance, chunk=chunk), KS)


ALL = np.arange(300), np.arange(400)


def test_the_table_is_the_oracles() -> None:
    some = scores(np.arange(10), ALL[1])
    for i, row in enumerate(some.values):
        hits = ranked([steps(QUERIES[i], photo) for photo in GALLERY], (QUERY_LABELS[i] == GALLERY_LABELS).tolist())
        assert dict(zip(some.metrics, row, strict=True)) == pytest.approx(oracle(hits, KS), abs=1e-12)


@pytest.mark.parametrize("chunk", [1, 7, 256])
def test_chunk_sizes_give_the_same_bits(chunk: int) -> None:
    whole, cut = scores(*ALL), scores(*ALL, chunk=chunk)
    assert cut.values.tobytes() == whole.values.tobytes()
    assert cut.means() == whole.means()
    assert cut.per_class(QUERY_LABELS) == whole.per_class(QUERY_LABELS)
    assert cut.intervals(resamples=50, seed=1) == whole.intervals(resamples=50, seed=1)


def test_order_gives_the_same_bits() -> None:
    before = scores(*ALL)
    draw = np.random.default_rng(4)
    for chunk in (None, 7):
        queries, gallery = draw.permutation(300), draw.permutation(400)
        after = scores(queries, gallery, chunk)
        assert after.values.tobytes() == before.values[queries].tobytes()
        assert after.means() == before.means()
        assert after.per_class(QUERY_LABELS[queries]) == before.per_class(QUERY_LABELS)
        photos = np.arange(300) // 4
        assert after.intervals(resamples=50, seed=1) == before.intervals(resamples=50, seed=1)
        clustered = (
            s.intervals(resamples=50, seed=1, clusters=c) for s, c in ((after, photos[queries]), (before, photos))
        )
        assert next(clustered) == next(clustered)


def test_the_two_usual_definitions_always_stand_side_by_side() -> None:
    metrics = scores(*ALL).metrics
    for k in KS:
        assert metrics.index(f"map@{k}:hits") == metrics.index(f"map@{k}:voc") + 1


def test_means_weigh_queries_and_classes_hold_their_own() -> None:
    table = scores(*ALL)
    by_class = table.per_class(QUERY_LABELS)
    assert list(by_class) == ["0", "1", "2", "3", "4"]
    assert sum(means["queries"] for means in by_class.values()) == 300
    for name, mean in table.means().items():
        assert sum(means["queries"] * means[name] for means in by_class.values()) / 300 == pytest.approx(mean)
        low, high = table.intervals(resamples=200, seed=0)[name]
        assert low <= mean <= high


def test_queries_without_a_relevant_photo_are_left_out_not_counted_as_zero() -> None:
    without = GALLERY_LABELS != 2
    table = scores(ALL[0], np.flatnonzero(without))
    assert table.rows.tolist() == np.flatnonzero(QUERY_LABELS != 2).tolist()
    assert table.means() == scores(np.flatnonzero(QUERY_LABELS != 2), np.flatnonzero(without)).means()
    assert "2" not in table.per_class(QUERY_LABELS)


def test_nothing_to_score_is_said() -> None:
    with pytest.raises(SketchseekError, match="no query has a relevant photo"):
        score(rank_relevant(QUERIES, GALLERY, by_label(QUERY_LABELS, GALLERY_LABELS + 10)), KS)
