"""Retrieval: the ranks of the relevant photos of every query. Scoring is separate (``metrics``, ``scoring``).

Every metric follows from these ranks, so no list is ever sorted by index and the whole matrix never exists: a score
and the photo's relevance become one whole number, the numbers are sorted (several times faster than sorting indices),
and the positions of the relevant ones are read off.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sketchseek.evaluation.relevance import Codes, Relevance
from sketchseek.evaluation.second_look import Outlines, SecondLook
from sketchseek.evaluation.similarity import unit_rows
from sketchseek.neighbours import Look
from sketchseek.parallel import usable_cores

#: Of photos with equal scores, those that are not relevant come first, for every metric.
TIES = "counted against"

#: Scores are equal if they are the same number of steps of 2^-24 (6e-8), the resolution of float32 just below 1.
SCORE_BITS = 24

_CHUNK_SCORES = 1 << 24  # scores alive at a time (128 MB)
_CHUNK_ROWS = 4096
_SLAB_SCORES = 1 << 19  # scores one thread sorts at a time: stays near the processor's cache


@dataclass(frozen=True)
class Ranks:
    """Ranks for queries with the same number R of relevant photos."""

    queries: Codes  # (n,) rows of the query matrix
    ranks: NDArray[np.int64]  # (n, R) ascending, 1 is the best


@dataclass(frozen=True)
class _Reranking:
    """How the nearest photos are ranked once more; see ``rank_relevant``."""

    look: Look
    words: bool
    outlines: Outlines | None


def rank_relevant(
    queries: NDArray[np.generic],
    gallery: NDArray[np.generic],
    relevance: Relevance,
    *,
    look: Look = "direct",
    outlines: Outlines | None = None,
    words: bool = False,
    chunk: int | None = None,
) -> Iterator[Ranks]:
    """Rank ``gallery`` (m, d) by cosine for each of ``queries`` (n, d), and yield the ranks of the relevant photos.

    With another ``look`` than direct, the nearest photos are ranked once more by what is similar among themselves, and
    by ``outlines`` where they are given; ``words``: the queries are words. Each query is yielded once, in any order;
    queries without a relevant photo are skipped. ``chunk`` queries are compared at a time; it never changes a result.
    """
    with ThreadPoolExecutor(usable_cores()) as pool:
        for query_rows, gallery_rows in comparable_rows(relevance):
            reranking = _Reranking(look, words, outlines)
            yield from _rank_group(queries, gallery, relevance, query_rows, gallery_rows, reranking, chunk, pool)


def comparable_rows(relevance: Relevance) -> Iterator[tuple[Codes, Codes]]:
    """Rows of queries, and the rows of the photos they are compared with."""
    if relevance.query_groups is None or relevance.gallery_groups is None:
        yield np.arange(len(relevance.query_keys)), np.arange(len(relevance.gallery_keys))
        return
    for group in np.intersect1d(relevance.query_groups, relevance.gallery_groups):
        yield np.flatnonzero(relevance.query_groups == group), np.flatnonzero(relevance.gallery_groups == group)


def _rank_group(
    queries: NDArray[np.generic],
    gallery: NDArray[np.generic],
    relevance: Relevance,
    query_rows: Codes,
    gallery_rows: Codes,
    reranking: _Reranking,
    chunk: int | None,
    pool: ThreadPoolExecutor,
) -> Iterator[Ranks]:
    # Photos in the order of their keys: the relevant ones of a query are the columns from first to last.
    gallery_rows = gallery_rows[np.argsort(relevance.gallery_keys[gallery_rows], kind="stable")]
    gallery_keys = relevance.gallery_keys[gallery_rows]
    keys = relevance.query_keys[query_rows]
    first, last = np.searchsorted(gallery_keys, keys, "left"), np.searchsorted(gallery_keys, keys, "right")
    # Queries in the order of how many photos are relevant: neighbours make rectangular arrays.
    order = np.argsort(last - first, kind="stable")
    order = order[(last - first)[order] > 0]
    photos = unit_rows(gallery, gallery_rows)
    second = None if reranking.look == "direct" else SecondLook(photos, reranking.look, reranking.words)
    width = len(gallery_rows)
    rows = chunk or min(_CHUNK_ROWS, max(1, _CHUNK_SCORES // width))
    step = max(1, _SLAB_SCORES // width)
    scores = np.empty((min(rows, len(order)), width))
    for start in range(0, len(order), rows):
        part = order[start : start + rows]
        sketches = unit_rows(queries, query_rows[part])
        # Negated, so that the best come first; a power of two changes no digit.
        np.matmul(sketches * -(2.0**SCORE_BITS), photos.T, out=scores[: len(part)])
        slabs = [slice(low, min(low + step, len(part))) for low in range(0, len(part), step)]

        def ranks(slab: slice, part: Codes = part, sketches: NDArray[np.float64] = sketches) -> NDArray[np.int64]:
            steps = np.rint(scores[slab], out=scores[slab]).astype(np.int32)
            if second is not None:
                laid = reranking.outlines and reranking.outlines.of(query_rows[part[slab]], gallery_rows)
                second.apply(steps, sketches[slab], SCORE_BITS, laid)
            return _ranks_of(steps, first[part[slab]], last[part[slab]])

        flat_ranks = pool.map(ranks, slabs)
        for slab, flat in zip(slabs, flat_ranks, strict=True):
            yield from _rectangles(query_rows[part[slab]], (last - first)[part[slab]], flat)


def _ranks_of(keys: NDArray[np.int32], first: Codes, last: Codes) -> NDArray[np.int64]:
    """Ranks of the columns ``first[i]:last[i]`` of each row i, row after row; the smallest key is the best."""
    keys <<= 1
    # The last bit says relevant: of two equal scores the relevant one sorts behind. This is the whole tie rule.
    for row, low, high in zip(keys, first, last, strict=True):
        row[low:high] |= 1
    keys.sort(axis=1)
    keys &= 1
    places: NDArray[np.int64] = np.flatnonzero(keys.astype(np.bool_)) % keys.shape[1] + 1  # numpy is quick on bools
    return places


def _rectangles(queries: Codes, counts: Codes, flat: NDArray[np.int64]) -> Iterator[Ranks]:
    """Cut the ranks of rows whose ``counts`` ascend into arrays of equal width."""
    edges = np.concatenate([[0], np.flatnonzero(np.diff(counts)) + 1, [len(counts)]])
    offsets = np.concatenate([[0], np.cumsum(counts)])
    for low, high in pairwise(edges):
        yield Ranks(queries[low:high], flat[offsets[low] : offsets[high]].reshape(high - low, -1))
