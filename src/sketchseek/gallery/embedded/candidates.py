"""The photos that the embedded store proposes for a query, from its index and its database."""

import heapq
import logging
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sketchseek.colours import BYTES
from sketchseek.gallery.embedded.catalogue import Catalogue
from sketchseek.gallery.embedded.index import VectorIndex
from sketchseek.gallery.filters import dates
from sketchseek.gallery.hits import Hit
from sketchseek.gallery.paths import absolute
from sketchseek.gallery.ranking import SearchOptions, hit_of
from sketchseek.gallery.records import Photo, stacked
from sketchseek.gallery.relevance import Background
from sketchseek.neighbours import Scores

log = logging.getLogger(__name__)


class EmbeddedCandidates:
    """See ``ranking.Candidates``. Use it inside the snapshot that ``index`` shows."""

    def __init__(self, catalogue: Catalogue, index: VectorIndex, options: SearchOptions) -> None:
        self.catalogue, self.index = catalogue, index
        self.filters = options.filters
        self.under = absolute(self.filters.under) if self.filters.under is not None else None
        self.first, self.last = dates(self.filters.taken)
        self.warned = False
        self.read_lines: dict[int, bytes | None] = {}
        model = index.model.row
        self.allowed = None
        if self.filters.any:
            self.allowed = catalogue.vectors_that_pass(model, self.filters)
        skipped = (catalogue.vector_row(model, id) for id in options.skip)
        self.excluded = {row for row in skipped if row is not None}.union(catalogue.orphans(model))

    def nearest(self, vector: NDArray[np.float32], count: int) -> tuple[Sequence[int], NDArray[np.float16], bool]:
        """See ``ranking.Candidates``."""
        found = self.index.candidates(vector, count, allowed=self.allowed, excluded=self.excluded)
        rows, vectors, lines = self.catalogue.vectors_of(self.index.model, found)
        if len(rows) < len(found):
            self._warn()
        self.read_lines.update(zip(rows.tolist(), lines, strict=True))
        return rows.tolist(), vectors, len(found) >= count

    def lines(self, keys: Sequence[int]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """See ``ranking.Candidates``; they were read with the vectors, because one checksum covers both."""
        return stacked([self.read_lines[key] for key in keys])

    def colours(self, keys: Sequence[int]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """See ``ranking.ColouredCandidates``."""
        return stacked(self.catalogue.colours(keys))

    def best_coloured(
        self, fit: Callable[[NDArray[np.uint8]], Scores], count: int
    ) -> tuple[Sequence[int], NDArray[np.float16], Scores, bool]:
        """See ``ranking.ColouredCandidates``; reads the colours of all photos."""
        allowed = None if self.allowed is None else set(self.allowed.tolist())
        fits = list[tuple[float, int]]()
        for rows, packed in self.catalogue.all_colours(self.index.model.row, BYTES):
            wanted = [
                at for at, row in enumerate(rows) if row not in self.excluded and (allowed is None or row in allowed)
            ]
            fits += zip(fit(packed[wanted]).tolist(), (rows[at] for at in wanted), strict=True)
        best = {row: value for value, row in heapq.nlargest(count, fits)}
        found, vectors, _ = self.catalogue.vectors_of(self.index.model, best)
        if len(found) < len(best):
            self._warn()
        keys = found.tolist()
        return keys, vectors, np.array([best[row] for row in keys]), len(fits) > count

    def background(self) -> Background:
        """See ``ranking.Candidates``."""
        return self.index.background(self.catalogue)

    def hit(self, key: int, score: float) -> Hit | None:
        """See ``ranking.Candidates``."""
        photo = self.catalogue.photo(key)
        if photo is None or not self._passes_filters(photo):
            self._warn()
            return None
        return hit_of(photo, score, self.under, self.filters)

    def _passes_filters(self, photo: Photo) -> bool:
        """Apply the filters to the photo's own rows too: the database's indexes, which chose it, have no checksums."""
        if not any(self.filters.fits(path, self.under) for path in photo.paths):
            return False
        if self.filters.camera is not None and self.catalogue.camera(photo.row) != self.filters.camera:
            return False
        taken = photo.taken or ""
        return (self.first is None or taken >= self.first) and (self.last is None or "" < taken < self.last)

    def _warn(self) -> None:
        """Warn of damaged rows, once per search. Photos without a file do not count: they were excluded."""
        if not self.warned:
            log.warning(
                "photos are missing because their rows in the database %s are damaged; run `sketchseek gallery "
                "rebuild`, then `sketchseek index`",
                self.catalogue.path,
            )
        self.warned = True
