"""All metrics, computed from the ranks of the relevant photos, each under a name that says its definition.

R is how many photos are relevant, r1 < r2 < ... < rR are their ranks, P(j) = j / rj is the precision at the j-th of
them. ``docs/research/evaluation.md`` defines every name.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sketchseek.errors import SketchseekError
from sketchseek.evaluation.relevance import By

#: Default cut-offs, by which photos are right.
DEFAULT_KS: dict[By, tuple[int, ...]] = {"label": (100, 200), "instance": (1, 5, 10)}

Values = dict[str, NDArray[np.float64]]


def measure(ranks: NDArray[np.integer], ks: Sequence[int]) -> Values:
    """All metrics of each query; ``ranks`` is (n, R), ascending, R >= 1. Values have shape (n,)."""
    relevant = ranks.shape[1]
    precision = np.arange(1, relevant + 1) / ranks
    values = {
        "map@all": precision.mean(axis=1),
        "map@all:interpolated": max_from_here_on(precision).mean(axis=1),
        "r_precision": (ranks <= relevant).sum(axis=1) / relevant,
        "mean_rank": ranks[:, 0].astype(np.float64),
    }
    for k in ks:
        values |= _measure_at(ranks[:, :k], precision[:, :k], relevant, k)
    return values


def _measure_at(ranks: NDArray[np.integer], precision: NDArray[np.float64], relevant: int, k: int) -> Values:
    """The metrics of the first ``k`` photos; at most k of them are relevant."""
    reachable = min(k, relevant)
    inside = ranks <= k
    hits = inside.sum(axis=1)
    precision = np.where(inside, precision, 0.0)
    total = precision.sum(axis=1)
    return {
        f"map@{k}:voc": max_from_here_on(precision).sum(axis=1) / reachable,
        f"map@{k}:hits": total / np.maximum(hits, 1),
        f"map@{k}:k": total / k,
        f"map@{k}:min": total / reachable,
        f"p@{k}": hits / k,
        f"p@{k}:min": (ranks <= reachable).sum(axis=1) / reachable,
        f"acc@{k}": (ranks[:, 0] <= k).astype(np.float64),
    }


def max_from_here_on(precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make each row monotone from the right: its j-th value becomes the largest of the j-th and all later ones."""
    return np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]


def checked_ks(ks: Sequence[int]) -> tuple[int, ...]:
    """The cut-offs in ascending order, each once."""
    if not ks or min(ks) < 1:
        raise SketchseekError("the cut-offs k must be whole numbers of at least 1, such as 100,200")
    return tuple(sorted(set(ks)))
