"""Rank the nearest photos once more by what is similar among themselves: photos find photos of their kind far better
than drawings or words do.

Every look scores the ``POOL`` nearest photos of a query; what comes after them keeps its order. A photo's score
becomes z(direct) + weight * z(min(g, cap-th best g)), where z has mean 0 and deviation 1 over the pool and g is made of
two cosines of the photo's *neighbourhood*, the mean of its nearest vectors in the pool weighted by cubed cosines:

* with the query: noise of one photo's score is averaged away;
* with the neighbourhoods that fit the query best: photos of their kind come along, however unlike the drawing.

The cap keeps the direct order among the photos that are surely meant, so that the very photo stays ahead of its kind.
A drawing is also laid over the photos' outlines (``outlines``): z(how much better than the middle one a photo fits) is
added, with a weight of its own. So is z(how well a photo's colours agree) where the query says what is coloured.
Words say less about a photo than a drawing, so their neighbours weigh less.
The numbers were chosen on validation classes among 15,000 other photos: docs/notes/neighbours.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Look = Literal["direct", "picture", "both", "kind"]
LOOKS: tuple[Look, ...] = get_args(Look)
DEFAULT_LOOK: Look = "both"
POOL = 200  # photos of a query that are compared with each other
BEST = 5  # neighbourhoods that stand for what is meant
FIRST, PREFERENCE = 30, 0.5  # photos that a colour in words reorders, and its weight there
COLOURS = 2.0  # weight of colours, see docs/guide/gallery.md

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Blend:
    """``neighbours`` of a photo, itself included; shares of the two cosines; see above for the rest."""

    neighbours: int
    query_share: float
    kind_share: float
    cap: int | None
    weight: float
    words_weight: float
    outlines: float


BLENDS: Mapping[Look, Blend] = {
    "picture": Blend(
        neighbours=25, query_share=1.0, kind_share=0.0, cap=15, weight=2.0, words_weight=0.7, outlines=1.0
    ),
    "both": Blend(neighbours=20, query_share=0.6, kind_share=0.4, cap=10, weight=3.0, words_weight=1.0, outlines=0.5),
    "kind": Blend(neighbours=10, query_share=0.0, kind_share=1.0, cap=None, weight=4.0, words_weight=4.0, outlines=0.0),
}


def look_again(
    vectors: NDArray[Any],
    query: NDArray[Any],
    scores: Scores,
    look: Look,
    *,
    words: bool = False,
    likeness: NDArray[Any] | None = None,
    around: NDArray[np.float32] | None = None,
    colours: NDArray[Any] | None = None,
) -> Scores:
    """New scores (n,) of a pool: ``vectors`` (n, size) and ``query`` (size,) of length 1, ``scores`` their cosines.

    ``words``: only words are looked for. ``likeness`` (n,): of a drawing and each photo's outlines, NaN where a photo
    has none. ``around``: the look's ``neighbourhoods`` of ``vectors``, where the caller has them already.
    ``colours`` (n,): how well those of the query and of each photo agree, NaN where a photo has none.
    """
    if look == "direct" or len(scores) < 2:
        return scores
    blend = BLENDS[look]
    if around is None:
        around = neighbourhoods(np.asarray(vectors, np.float32), blend.neighbours)
    fit = np.asarray(around @ query, np.float64)
    closeness = np.zeros(len(scores))
    if blend.query_share:
        closeness += blend.query_share * _standard(fit)
    if blend.kind_share:
        best = np.argsort(-fit, kind="stable")[:BEST]
        meant = np.maximum(fit[best], 1e-3) @ around[best]
        closeness += blend.kind_share * _standard(around @ (meant / max(float(np.linalg.norm(meant)), 1e-9)))
    if blend.cap is not None:
        closeness = np.minimum(closeness, np.sort(closeness)[-min(blend.cap, len(closeness))])
    values = _standard(scores) + (blend.words_weight if words else blend.weight) * _standard(closeness)
    if blend.outlines and likeness is not None and not np.isnan(likeness).all():
        better = np.nan_to_num(likeness - np.nanmedian(likeness)).clip(0)
        values += blend.outlines * _standard(better)
    if colours is not None and not np.isnan(colours).all():
        values += COLOURS * _standard(np.where(np.isnan(colours), np.nanmean(colours), colours))
    return values


def prefer(values: Scores, fit: Scores) -> Scores:
    """``values`` (n,), the best ``FIRST`` reordered: those that ``fit`` (n,) come forward; NaN is average."""
    first = np.argsort(-values, kind="stable")[:FIRST]
    fits = fit[first]
    if np.isnan(fits).all():
        return values
    better = values.copy()
    order = _standard(values[first]) + PREFERENCE * _standard(np.where(np.isnan(fits), np.nanmean(fits), fits))
    better[first] = values.max() + 1 + order - order.min()
    return better


def neighbourhoods(vectors: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The weighted mean of each vector's ``count`` nearest, itself among them, at length 1. (n, size) -> (n, size)."""
    alike = vectors @ vectors.T
    count = min(count, len(vectors))
    if count < len(vectors):
        least = np.partition(alike, -count, axis=1)[:, -count]
        alike[alike < least[:, None]] = 0
    weights = np.maximum(alike, 0)
    weights *= weights * weights
    means = weights @ vectors
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    return np.asarray(means / np.maximum(lengths, 1e-9), np.float32)


def _standard(values: NDArray[Any]) -> Scores:
    """The values with mean 0 and deviation 1; all 0 where they are equal but for rounding."""
    values = np.asarray(values, np.float64)
    deviation = float(values.std())
    return (values - values.mean()) / deviation if deviation > 1e-5 else np.zeros(len(values))
