"""The photos at the top of each list, by the same exact scores and the same tie rule as every metric."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sketchseek.evaluation.ranking import SCORE_BITS, comparable_rows
from sketchseek.evaluation.relevance import Codes, Relevance
from sketchseek.evaluation.second_look import Outlines, SecondLook
from sketchseek.evaluation.similarity import unit_rows
from sketchseek.neighbours import Look

_CHUNK_SCORES = 1 << 23
_COLUMN_BITS = 32


@dataclass(frozen=True)
class TopLists:
    """The first ``count`` photos of each query."""

    photos: Codes  # (n, count) rows of the gallery, best first; -1 where the gallery is smaller
    right: NDArray[np.bool_]  # (n, count) whether the photo is relevant


def top_photos(
    queries: NDArray[np.generic],
    gallery: NDArray[np.generic],
    relevance: Relevance,
    count: int,
    look: Look = "direct",
    outlines: Outlines | None = None,
) -> TopLists:
    """The first photos for each of ``queries`` (n, d) among ``gallery`` (m, d).

    Of equal scores the photo that is not relevant comes first, then the one that is first in the gallery.
    """
    photos = np.full((len(queries), count), -1, np.intp)
    right = np.zeros((len(queries), count), np.bool_)
    for query_rows, gallery_rows in comparable_rows(relevance):
        units = unit_rows(gallery, gallery_rows)
        second = None if look == "direct" else SecondLook(units, look)
        keys_of_photos = relevance.gallery_keys[gallery_rows]
        columns = np.arange(len(gallery_rows))
        width = min(count, len(gallery_rows))
        step = max(1, _CHUNK_SCORES // len(gallery_rows))
        for start in range(0, len(query_rows), step):
            rows = query_rows[start : start + step]
            sketches = unit_rows(queries, rows)
            scores = np.rint(np.ldexp(-sketches, SCORE_BITS) @ units.T).astype(np.int64)
            if second is not None:
                second.apply(scores, sketches, SCORE_BITS, outlines and outlines.of(rows, gallery_rows))
            relevant = relevance.query_keys[rows, None] == keys_of_photos
            # Score, relevance and place in one whole number: no two are equal, so the first ones are well defined.
            order = ((scores << 1 | relevant) << _COLUMN_BITS) | columns
            order = np.sort(np.partition(order, width - 1, axis=1)[:, :width], axis=1)
            found = order & ((1 << _COLUMN_BITS) - 1)
            photos[rows, :width] = gallery_rows[found]
            right[rows, :width] = (order >> _COLUMN_BITS) & 1
    return TopLists(photos, right)


def confusion(
    tops: TopLists, query_labels: NDArray[np.str_], gallery_labels: NDArray[np.str_], classes: Sequence[str], rows: int
) -> NDArray[np.float64]:
    """Of which class the top photos are: (rows, classes), each row sums to 1 or, without queries, to 0.

    The first ``rows`` of ``classes`` have queries; all classes of the gallery are among them.
    """
    place = {label: index for index, label in enumerate(classes)}
    of_query = np.array([place[label] for label in query_labels])
    of_photo = np.array([place[label] for label in gallery_labels])
    counts = np.zeros((rows, len(classes)))
    there = tops.photos >= 0
    labels = np.broadcast_to(of_query[:, None], tops.photos.shape)[there]
    np.add.at(counts, (labels, of_photo[tops.photos[there]]), 1)
    shares: NDArray[np.float64] = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return shares
