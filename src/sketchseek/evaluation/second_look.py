"""The second look of a search (``neighbours``) on exact scores: every result is labelled "uses the gallery".

A query's pool is the ``POOL`` photos with the best scores; photos that tie with the first one outside stay outside too.
The pool is compared in one order, by score and then by content, and photos of equal content get one value. So neither
the order of the gallery nor how queries are split into blocks changes a result. The comparison itself is in float32,
therefore its values are rounded to steps of 2^-16 of a standard deviation, far above float32's noise.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sketchseek.neighbours import BLENDS, POOL, Look, look_again
from sketchseek.outlines import likeness

LOOK_BITS = 16
#: What every table and page of such a result says.
USES_GALLERY = "uses the gallery: photos are also ranked by what is similar among themselves, never by other queries"


@dataclass(frozen=True)
class Outlines:
    """What drawings and photos are laid over each other by, see ``outlines``."""

    inks: NDArray[np.float32]  # (n, side, side), of the queries
    lines: NDArray[np.uint8]  # (m, bytes), of the gallery

    def of(self, queries: NDArray[np.intp], gallery: NDArray[np.intp]) -> Self:
        """Those of some rows."""
        return type(self)(self.inks[queries], self.lines[gallery])


class SecondLook:
    """Ranks the pools of queries once more among ``photos`` (m, d), unit rows; ``words``: the queries are words."""

    def __init__(self, photos: NDArray[np.float64], look: Look, words: bool = False) -> None:
        self._photos, self._look, self._words = photos, look, words
        rows = np.ascontiguousarray(photos)
        self._content = np.unique(rows.view(f"V{rows.strides[0]}").ravel(), return_inverse=True)[1]

    def apply(
        self,
        steps: NDArray[np.signedinteger],
        queries: NDArray[np.float64],
        score_bits: int,
        outlines: Outlines | None = None,
    ) -> None:
        """Replace the ``steps`` (n, m) of the pools of ``queries`` (n, d), in place.

        A step is a negated score in units of 2^-``score_bits``: the smallest is the best. Those of a pool become
        smaller than all others.
        """
        laid = outlines if BLENDS[self._look].outlines else None
        for number, (row, query) in enumerate(zip(steps, queries, strict=True)):
            pool = self._pool(row)
            scores = np.ldexp(-row[pool].astype(np.float64), -score_bits)
            fits = None if laid is None else likeness(laid.inks[number], laid.lines[pool]).astype(np.float64)
            values = look_again(self._photos[pool], query, scores, self._look, words=self._words, likeness=fits)
            # Equal photos stand beside each other, and the last bits of float32 depend on the place: take the first's.
            _, first, own = np.unique(self._content[pool], return_index=True, return_inverse=True)
            values = values[first[own]]
            row[pool] = -(1 << score_bits) - 1 - np.rint(np.ldexp(values - values.min(initial=0), LOOK_BITS))

    def _pool(self, row: NDArray[np.signedinteger]) -> NDArray[np.intp]:
        pool = np.arange(len(row)) if len(row) <= POOL else np.flatnonzero(row < np.partition(row, POOL)[POOL])
        return pool[np.lexsort((self._content[pool], row[pool]))]
