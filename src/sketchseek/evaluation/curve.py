"""The precision-recall curve of a ranking, at eleven recall levels."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from sketchseek.evaluation.metrics import max_from_here_on
from sketchseek.evaluation.ranking import Ranks

RECALLS = tuple(step / 10 for step in range(11))


def interpolated_precision(ranks: NDArray[np.integer]) -> NDArray[np.float64]:
    """Per query (n, 11): the best precision at any recall of at least 0, 0.1, ..., 1; ``ranks`` (n, R) ascend."""
    relevant = ranks.shape[1]
    precision = np.arange(1, relevant + 1) / ranks
    needed = np.maximum(1, (np.arange(11) * relevant + 9) // 10)  # photos found at each recall level
    return np.asarray(max_from_here_on(precision)[:, needed - 1])


class CurveOf:
    """Iterates over ranks, and keeps their precision-recall curve."""

    def __init__(self, ranks: Iterable[Ranks]) -> None:
        self._ranks = ranks
        self._rows: list[NDArray[np.intp]] = []
        self._parts: list[NDArray[np.float64]] = []

    def __iter__(self) -> Iterator[Ranks]:
        for part in self._ranks:
            self._rows.append(part.queries)
            self._parts.append(interpolated_precision(part.ranks))
            yield part

    def mean(self) -> NDArray[np.float64]:
        """The mean over all queries (11,); it does not depend on their order."""
        order = np.argsort(np.concatenate(self._rows))
        return np.asarray(np.concatenate(self._parts)[order].mean(axis=0))
