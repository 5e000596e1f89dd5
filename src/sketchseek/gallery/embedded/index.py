"""The nearest vectors, fast: a FAISS index derived from the catalogue, which can be deleted at any time.

Small galleries are scanned exactly, in half floats as in the catalogue. Large ones get inverted lists of 8-bit codes;
how many lists a search visits is measured when they are built. In both cases the index only proposes candidates:
scores are computed from the catalogue's own vectors, so a photo's score does not depend on the kind of index, the
filter or k.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import faiss as untyped_faiss
import numpy as np
from numpy.typing import NDArray

from sketchseek.gallery.embedded.catalogue import Catalogue
from sketchseek.gallery.records import ModelSet
from sketchseek.gallery.relevance import SAMPLE, Background

# FAISS adds keyword arguments to its classes at run time, which its type information does not know.
faiss: Any = untyped_faiss

log = logging.getLogger(__name__)

EXACT_LIMIT = 100_000  # vectors; above, an exact scan dominates a search (docs/notes/performance.md)
RECALL = 0.985  # share of the 10 nearest that lists must find on a sample of their own vectors
REBUILD_AT = 2.0  # lists are built again at this many times the vectors they were built for
SEED = 7


@dataclass(frozen=True, slots=True)
class State:
    """What an index contains: the vectors of ``model`` as of a commit, up to ``last_row``.

    ``made_for``: number of vectors when it was built.
    """

    model: str
    kind: str
    generation: int
    stamp: str
    epoch: int
    last_row: int
    made_for: int


class VectorIndex:
    """Nearest neighbours among the vectors of one model. Not thread-safe: the gallery holds a lock."""

    def __init__(self, model: ModelSet, index: Any, state: State) -> None:
        self.model, self.state = model, state
        self.faiss = index
        self.changed = 0  # vectors added or removed since it was built or loaded
        self._background: Background | None = None

    def __len__(self) -> int:
        return int(self.faiss.ntotal)

    @property
    def probes(self) -> int | None:
        """How many lists a search visits; None if it scans all vectors."""
        return int(self.faiss.nprobe) if self.state.kind == "lists" else None

    # Building and updating.

    @classmethod
    def build(cls, catalogue: Catalogue, model: ModelSet, *, exact_limit: int = EXACT_LIMIT) -> "VectorIndex":
        """From the catalogue alone."""
        count = catalogue.vectors_count(model.row)
        head = catalogue.head()
        kind = wanted_kind(count, exact_limit)
        index = _lists(catalogue, model, count) if kind == "lists" else _exact(model.size)
        made = cls(model, index, State(model.identity, kind, head.generation, head.stamp.hex(), head.epoch, 0, count))
        made._append(catalogue)
        if kind == "lists":
            index.nprobe = _tuned_probes(index, catalogue, model)
        if len(made) < count:
            log.warning(
                "%d damaged vectors in %s are omitted; `sketchseek gallery rebuild` and then "
                "`sketchseek index` make them again",
                count - len(made), catalogue.folder,
            )  # fmt: skip
        return made

    def belongs_to(self, catalogue: Catalogue) -> bool:
        """Whether it was built from this history of the catalogue."""
        stamp = catalogue.stamp(self.state.generation)
        return self.state.model == self.model.identity and stamp is not None and stamp.hex() == self.state.stamp

    def refresh(self, catalogue: Catalogue) -> None:
        """Add what was committed since; call it inside the snapshot that the search reads in."""
        head = catalogue.head()
        if head.generation == self.state.generation:
            return
        changed = 0
        if head.epoch != self.state.epoch:
            changed += self._drop(np.setdiff1d(self.rows(), catalogue.vector_rows(self.model.row)))
        changed += self._append(catalogue)
        self.state = replace(self.state, generation=head.generation, stamp=head.stamp.hex(), epoch=head.epoch)
        self.changed += changed

    def outgrown(self, exact_limit: int = EXACT_LIMIT) -> bool:
        """Whether the gallery has grown or shrunk so much that the index should be built again."""
        if self.state.kind != wanted_kind(len(self), exact_limit):
            return True
        return self.state.kind == "lists" and len(self) > REBUILD_AT * self.state.made_for

    def _append(self, catalogue: Catalogue) -> int:
        before = len(self)
        last = self.state.last_row
        for rows, vectors in catalogue.vectors_after(self.model, last):
            self.faiss.add_with_ids(vectors.astype(np.float32), rows)
            last = int(rows[-1]) if len(rows) else last
        self.state = replace(self.state, last_row=last)
        return len(self) - before

    def _drop(self, rows: NDArray[np.int64]) -> int:
        return int(self.faiss.remove_ids(faiss.IDSelectorBatch(rows))) if len(rows) else 0

    def rows(self) -> NDArray[np.int64]:
        """The rows of its vectors, in no order."""
        if self.state.kind == "exact":
            return np.asarray(faiss.vector_to_array(self.faiss.id_map))
        lists = self.faiss.invlists
        parts = [
            faiss.rev_swig_ptr(lists.get_ids(i), lists.list_size(i)).copy()
            for i in range(lists.nlist)
            if lists.list_size(i)
        ]
        return np.concatenate([np.empty(0, np.int64), *parts])

    # Searching.

    def candidates(
        self,
        vector: NDArray[np.float32],
        count: int,
        *,
        allowed: NDArray[np.int64] | None = None,
        excluded: Iterable[int] = (),
    ) -> NDArray[np.int64]:
        """Rows of about the ``count`` nearest vectors (fewer only if no more are allowed), best first.

        ``allowed`` and ``excluded`` are rows. They are applied during the scan, so a narrow filter costs no recall.
        """
        excluded = list(excluded)
        possible = len(self) if allowed is None else len(allowed)
        count = min(count, possible)
        if count == 0:
            return np.empty(0, np.int64)
        selector = _selector(self.state.last_row, allowed, excluded) if allowed is not None or excluded else None
        if self.state.kind == "exact":
            return self._search(vector, count, faiss.SearchParameters(sel=selector))
        # The fewer rows are allowed, the more lists: the number of vectors compared stays the same as without a filter.
        probes = min(self.faiss.nlist, int(np.ceil(self.faiss.nprobe * len(self) / possible)))
        found = self._search(vector, count, faiss.SearchParametersIVF(sel=selector, nprobe=probes))
        if len(found) < count and probes < self.faiss.nlist:
            found = self._search(vector, count, faiss.SearchParametersIVF(sel=selector, nprobe=self.faiss.nlist))
        return found

    def background(self, catalogue: Catalogue) -> Background:
        """Some of its vectors at random; others once it has grown or shrunk by a tenth."""
        old = self._background
        if old is None or abs(len(self) - old.photos) > 0.1 * old.photos:
            vectors = _sample(catalogue, self.model, SAMPLE).astype(np.float64)
            old = self._background = Background(vectors, len(self))
        return old

    def _search(self, vector: NDArray[np.float32], count: int, parameters: Any) -> NDArray[np.int64]:
        _, rows = self.faiss.search(np.ascontiguousarray(vector[None], np.float32), count, params=parameters)
        return np.asarray(rows[0][rows[0] >= 0])


def wanted_kind(count: int, exact_limit: int) -> str:
    """``exact`` or ``lists``."""
    return "lists" if count > exact_limit else "exact"


def _exact(size: int) -> Any:
    return faiss.IndexIDMap(faiss.IndexScalarQuantizer(size, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT))


def _lists(catalogue: Catalogue, model: ModelSet, count: int) -> Any:
    """Empty inverted lists, about twice the square root of ``count``, each trained on 40 vectors of a sample."""
    lists = 2 ** round(np.log2(2 * np.sqrt(max(1, count))))
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(model.size), model.size, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    index.cp.seed = SEED
    index.train(_sample(catalogue, model, min(count, 40 * lists)).astype(np.float32))
    return index


def _tuned_probes(index: Any, catalogue: Catalogue, model: ModelSet) -> int:
    """The smallest power of two of lists to visit that finds RECALL of the 10 nearest.

    The queries are photos with noise, as far from the photos as drawings are (cosine 0.7).
    """
    vectors = _sample(catalogue, model, 64).astype(np.float32)
    noise = np.random.default_rng(SEED).standard_normal(vectors.shape, dtype=np.float32)
    queries = vectors + noise / np.linalg.norm(noise, axis=1, keepdims=True)
    index.nprobe = index.nlist
    best = index.search(queries, 10)[1]
    probes = 1
    while probes < index.nlist:
        index.nprobe = probes
        found = index.search(queries, 10)[1]
        hits = sum(len(np.intersect1d(one, other)) for one, other in zip(found, best, strict=True))
        if hits >= RECALL * best.size:
            break
        probes *= 2
    return int(min(probes, index.nlist))


def _sample(catalogue: Catalogue, model: ModelSet, count: int) -> NDArray[np.float16]:
    rows = catalogue.vector_rows(model.row)
    chosen = np.random.default_rng(SEED).choice(rows, min(count, len(rows)), replace=False)
    return catalogue.vectors_of(model, chosen)[1]


def _selector(last_row: int, allowed: NDArray[np.int64] | None, excluded: list[int]) -> Any:
    keep = np.full(last_row + 1, allowed is None)
    if allowed is not None:
        keep[allowed[allowed <= last_row]] = True
    keep[[row for row in excluded if row <= last_row]] = False
    bits = np.packbits(keep, bitorder="little")
    selector = faiss.IDSelectorBitmap(bits)
    selector.bits = bits  # FAISS keeps only a pointer
    return selector
