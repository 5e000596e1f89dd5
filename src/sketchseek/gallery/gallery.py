"""The gallery: what is known about your photos, and the questions one can ask of it.

This is the face that every store shows: a folder of this machine (``embedded``), a Milvus server (``milvus``), or one
of another package (see ``stores``). The photos themselves are only ever read.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.hits import Hit, Hits
from sketchseek.gallery.paths import AnyPath, default_gallery
from sketchseek.gallery.query import Query
from sketchseek.gallery.ranking import LEAST_RELEVANCE, SearchOptions, Taken
from sketchseek.gallery.records import Entry, ModelSet
from sketchseek.gallery.stats import Stats
from sketchseek.gallery.store import Store
from sketchseek.gallery.stores import opener
from sketchseek.model import Model
from sketchseek.wording import shown

if TYPE_CHECKING:
    from sketchseek.gallery.ingest import Progress, Report
    from sketchseek.gallery.records import Problem


BATCH = 32


class Gallery(ABC):
    """Open one with ``open``. Safe to use from several threads."""

    path: Path | str  # its folder, or its address
    uses_roots = False  # whether its paths are kept relative to named roots, so that machines can share them

    def __init__(self, model: Model | str | None, readonly: bool) -> None:
        self.readonly = readonly
        self._asked: Model | str | None = model
        self._loaded: Model | None = None if isinstance(model, str) else model
        self._lock = threading.RLock()

    @staticmethod
    def open(
        path: AnyPath | None = None,
        model: Model | str | None = None,
        readonly: bool = False,
        create: bool = True,
        roots: Mapping[str, AnyPath] | None = None,
    ) -> "Gallery":
        """The gallery in the folder ``path`` (see ``default_gallery``), made if it is not there, unless told otherwise.

        Or the gallery at an address such as ``milvus://host:19530/name``. A shared store keeps paths below ``roots``:
        their names and this machine's folders; without them, those of $SKETCHSEEK_ROOTS.

        ``model``: a ``Model``, or a model folder's name or path; without it, the one that the gallery was indexed with,
        or for a new one the model that ships.
        """
        place = path if path is not None else default_gallery()
        return opener(place)(place, model=model, readonly=readonly, create=create, roots=roots)

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections; the next question opens them again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Gallery({str(self.path)!r})"

    @property
    def model(self) -> Model:
        """The model that encodes for this gallery, loaded on first use."""
        with self._lock:
            if self._loaded is None:
                from sketchseek.engine.models import load_search_model

                self._loaded = load_search_model(self._asked) if isinstance(self._asked, str) else self._own_model()
            return self._loaded

    # Writing.

    @abstractmethod
    def add(
        self,
        folders: AnyPath | Sequence[AnyPath] | None = None,
        *,
        progress: "Callable[[Progress], None] | None" = None,
        retry: bool = False,
        batch: int = BATCH,
        threads: int | None = None,
    ) -> "Report":
        """Bring the gallery in step with ``folders`` (None: all it knows). What has not changed is not opened.

        When it returns, all it reports is on disk; stopped at any moment, it loses at most ``batch`` photos' work, and
        the next call goes on. ``retry``: open files again that failed before. ``threads`` decode ahead of the model.
        """

    def add_with_ray(
        self,
        folders: AnyPath | Sequence[AnyPath] | None = None,
        *,
        ray: str = "local",
        workers: int | None = None,
        progress: "Callable[[Progress], None] | None" = None,
        retry: bool = False,
        batch: int = BATCH,
    ) -> "Report":
        """As ``add``, encoding with the Ray cluster at the address ``ray``, or with "local" on this machine.

        ``workers``: processes; else one for every GPU, or for every two cores.
        """
        raise GalleryError(
            f"Ray needs a gallery that many processes can write to: name one such as milvus://HOST:19530/NAME, not "
            f"{shown(self.path)}."
        )

    def switch(self, other: str) -> None:
        """From now on this gallery's address leads where the address ``other``, of the same server, leads."""
        raise GalleryError(f"{shown(self.path)} is not a name that can lead elsewhere; only names on a server can.")

    @abstractmethod
    def remove(self, paths: AnyPath | Sequence[AnyPath]) -> int:
        """Forget files, or folders and all in them, with their vectors; returns how many files.

        The photos stay where they are.
        """

    def rebuild(self) -> "list[Problem]":
        """Save what can be read of a damaged gallery, drop damaged vectors, make the index again.

        Returns what was lost.
        """
        raise self._cannot("rebuild a gallery")

    # Asking.

    def search(
        self,
        query: Query | None = None,
        *,
        sketch: Any = None,
        photo: Any = None,
        text: str | Sequence[str] | None = None,
        minus: Any = None,
        like: str | Sequence[str] = (),
        unlike: str | Sequence[str] = (),
        weights: Mapping[str, float] | None = None,
        k: int = 20,
        min_score: float | None = None,
        min_relevance: float | None = None,
        under: AnyPath | None = None,
        taken: Taken = None,
        fold: float | None = None,
        skip: Iterable[str] = (),
    ) -> Hits:
        """The ``k`` photos nearest to a query, best first; equal scores by id. The terms are those of ``Query``.

        ``under``: only photos in this folder or deeper. ``taken``: a date prefix ("2024", "2024-05") or (first, last),
        both included, either open as None. ``fold``: photos with at least this cosine to a better hit become its
        duplicates. ``skip``: ids to omit. ``min_score`` drops hits below this cosine, ``min_relevance`` those below
        this relevance, where they have one. Where neither is given, a query of one kind of term drops hits of less than
        ``LEAST_RELEVANCE``; a mixture drops none, because its relevance is a rough guess. 0 drops none.
        """
        if query is None:
            given = {"sketch": sketch, "photo": photo, "text": text, "minus": minus, "like": like, "unlike": unlike}
            query = Query(**{kind: value for kind, value in given.items() if value is not None}, weights=weights or {})
        if min_relevance is None and min_score is None and len(query.kinds) == 1:
            min_relevance = LEAST_RELEVANCE
        options = SearchOptions(
            k=k,
            min_score=min_score,
            min_relevance=min_relevance,
            under=under,
            taken=taken,
            fold=fold,
            skip=frozenset(skip),
        )
        return self._answer(query, options)

    def similar(self, id: str, **options: Any) -> Hits:
        """Photos like the hit ``id``, without itself. ``options`` are those of ``search``."""
        return self.search(Query(like=id), skip=[id], **options)

    @abstractmethod
    def photo(self, id: str) -> Hit:
        """A photo by its id, with score 1: what a page shows large."""

    @abstractmethod
    def stats(self) -> Stats:
        """What is in the gallery, in numbers."""

    @abstractmethod
    def failures(self) -> list[tuple[Path, str]]:
        """Files that could not be taken in, and why."""

    def verify(self) -> "list[Problem]":
        """Check everything against everything else; an empty list means that all is well."""
        raise self._cannot("check a gallery")

    # Moving house: see ``copying``. A store that is copied from or into defines all of these.

    def kept_model(self) -> ModelSet | None:
        """The model whose vectors answer where none is named; None if there are none."""
        raise self._cannot("copy a gallery")

    def kept_folders(self) -> dict[bytes, int]:
        """The folders that were added, with the device each was on."""
        raise self._cannot("copy a gallery")

    def entries(self, model: ModelSet) -> Iterator[list[Entry]]:
        """All files with their vectors, page by page."""
        raise self._cannot("copy a gallery")

    def receiving(self, model: ModelSet) -> AbstractContextManager[tuple[Store, int]]:
        """The store, and the row in it of the vectors of this model; at the end, what was written is searched."""
        raise self._cannot("copy a gallery")

    def count_under(self, folder: bytes) -> int:
        """How many files are known in a folder, failed ones included."""
        raise self._cannot("copy a gallery")

    def vectors_of(self, ids: Sequence[str]) -> dict[str, NDArray[np.float16]]:
        """The vectors of photos as they are stored, of those that are there."""
        raise self._cannot("copy a gallery")

    # Inside.

    @abstractmethod
    def _own_model(self) -> Model:
        """The model that the gallery was indexed with."""

    @abstractmethod
    def _answer(self, query: Query, options: SearchOptions) -> Hits:
        """The hits of a query; none if the gallery is empty."""

    def _may_write(self) -> None:
        if self.readonly:
            raise GalleryError(f"the gallery {shown(self.path)} was opened for reading only; open it without readonly.")

    def _cannot(self, what: str) -> GalleryError:
        return GalleryError(f"the store of {shown(self.path)} cannot {what}; use a gallery in a folder for that.")

    def _no_photo(self, id: str) -> GalleryError:
        where = shown(self.path)
        return GalleryError(
            f"the gallery {where} has no photo {id!r}: it was removed or changed, or is of another gallery."
        )
