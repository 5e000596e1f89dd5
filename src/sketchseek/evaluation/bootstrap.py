"""Bootstrap intervals: how much a mean would vary with other queries (or other photos, for paired sketches)."""

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95


def bootstrap_interval(
    values: NDArray[np.float64], clusters: NDArray[np.intp] | None, *, resamples: int, seed: int
) -> NDArray[np.float64]:
    """The 95% percentile interval of each column's mean: (2, m) for values (n, m).

    Rows are drawn with replacement; with ``clusters`` (n,), whole clusters are drawn, because sketches of one photo are
    not independent. The interval depends neither on the order of the rows nor on how clusters are numbered.
    """
    # Units are sorted by their values, so that a seed draws the same ones for any order of the rows.
    order = np.lexsort(values.T)
    values = values[order]
    codes = np.arange(len(values)) if clusters is None else np.unique(clusters[order], return_inverse=True)[1]
    columns = [np.ones(len(values)), *values.T]
    units = np.stack([np.bincount(codes, column) for column in columns], axis=1)  # size and sums of each
    units = units[np.lexsort(units.T)]
    random = np.random.default_rng(seed)
    means = np.empty((resamples, values.shape[1]))
    for mean in means:
        times = np.bincount(random.integers(len(units), size=len(units)), minlength=len(units))
        totals = times @ units
        mean[:] = totals[1:] / totals[0]
    return np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
