"""What the embedded store proposes to a query: rows of its index, vectors and files of its catalogue."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sketchseek.gallery.catalogue import Catalogue, absolute
from sketchseek.gallery.hits import Hit
from sketchseek.gallery.index import VectorIndex
from sketchseek.gallery.ranking import Wanted, dates, hit_of


class Shelf:
    """Use it inside the snapshot that ``index`` shows."""

    def __init__(self, catalogue: Catalogue, index: VectorIndex, wanted: Wanted) -> None:
        self.catalogue, self.index = catalogue, index
        self.under = absolute(wanted.under) if wanted.under is not None else None
        model = index.model.row
        self.allowed = None
        if self.under is not None or wanted.taken is not None:
            self.allowed = catalogue.vectors_under(model, self.under, *dates(wanted.taken))
        skipped = (catalogue.vector_row(model, id) for id in wanted.skip)
        self.barred = {row for row in skipped if row is not None}.union(catalogue.orphans(model))

    def nearest(self, vector: NDArray[np.float32], count: int) -> tuple[Sequence[int], NDArray[np.float16], bool]:
        """See ``ranking.Source``."""
        found = self.index.candidates(vector, count, allowed=self.allowed, barred=self.barred)
        rows, vectors = self.catalogue.vectors_of(self.index.model, found)
        return rows.tolist(), vectors, len(found) >= count

    def hit(self, key: int, score: float) -> Hit | None:
        """See ``ranking.Source``."""
        photo = self.catalogue.photo(key)
        return hit_of(photo, score, self.under) if photo else None
