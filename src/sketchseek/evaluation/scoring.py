"""Scoring: from ranks to a table of queries by metrics, its means, its classes, its intervals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum

import numpy as np
from numpy.typing import NDArray

from sketchseek.errors import SketchseekError
from sketchseek.evaluation.bootstrap import bootstrap_interval
from sketchseek.evaluation.metrics import checked_ks, measure
from sketchseek.evaluation.ranking import Ranks


@dataclass(frozen=True)
class Scores:
    """One row per query, one column per metric; a query without a relevant photo has no row in ``rows``."""

    metrics: tuple[str, ...]
    values: NDArray[np.float64]  # (n, metrics)
    rows: NDArray[np.intp]  # (n,) ascending: which query each row of values is

    def means(self, chosen: NDArray[np.bool_] | None = None) -> dict[str, float]:
        """Micro averages: each query weighs the same. ``chosen`` (n,) restricts them."""
        values = self.values if chosen is None else self.values[chosen]
        # fsum rounds once: the mean does not depend on the order of the queries.
        return {name: fsum(column) / len(values) for name, column in zip(self.metrics, values.T, strict=True)}

    def per_class(self, labels: NDArray[np.generic]) -> dict[str, dict[str, float]]:
        """Means over the queries of each class and how many ``queries`` those are; ``labels``: of all queries."""
        own = labels[self.rows]
        chosen = {str(label): own == label for label in np.unique(own)}
        return {label: {"queries": int(rows.sum()), **self.means(rows)} for label, rows in chosen.items()}

    def intervals(
        self, *, resamples: int, seed: int, clusters: NDArray[np.intp] | None = None
    ) -> dict[str, tuple[float, float]]:
        """95% bootstrap intervals of the means; ``clusters``, one per query, are drawn whole (paired photos)."""
        own = None if clusters is None else clusters[self.rows]
        low, high = bootstrap_interval(self.values, own, resamples=resamples, seed=seed)
        return {name: (float(low[i]), float(high[i])) for i, name in enumerate(self.metrics)}


def score(ranks: Iterable[Ranks], ks: Sequence[int]) -> Scores:
    """Measure every query in ``ranks`` at the cut-offs ``ks``."""
    ks = checked_ks(ks)
    rows, tables = [], []
    metrics: tuple[str, ...] = ()
    for part in ranks:
        values = measure(part.ranks, ks)
        metrics = tuple(values)
        rows.append(part.queries)
        tables.append(np.stack(list(values.values()), axis=1))
    if not rows:
        raise SketchseekError(
            "no query has a relevant photo in the gallery; check that both use the same names of classes and photos"
        )
    all_rows = np.concatenate(rows)
    order = np.argsort(all_rows)
    return Scores(metrics, np.concatenate(tables)[order], all_rows[order])
