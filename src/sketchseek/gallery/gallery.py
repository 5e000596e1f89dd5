"""A gallery: an index of photos that can be searched by sketch, photo or words.

``Gallery`` is the interface of every store: a folder on this machine (``embedded``), a Milvus server (``milvus``), or
a store of another package (see ``stores``). The photos themselves are only read, never changed.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from sketchseek.gallery.collections import Collections
from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.filters import EVERY_PHOTO, Filters, Taken
from sketchseek.gallery.hits import Hit, Hits
from sketchseek.gallery.paths import AnyPath, default_gallery
from sketchseek.gallery.query import Query
from sketchseek.gallery.ranking import SearchOptions
from sketchseek.gallery.records import Entry, ModelSet
from sketchseek.gallery.sections import Section
from sketchseek.gallery.stats import Stats
from sketchseek.gallery.store_protocols import Store
from sketchseek.gallery.stores import opener
from sketchseek.model import Model
from sketchseek.neighbours import DEFAULT_LOOK, Look
from sketchseek.wording import shown

if TYPE_CHECKING:
    from sketchseek.gallery.ingest import Progress, Report
    from sketchseek.gallery.records import Problem


BATCH = 32


class Gallery(ABC):
    """Open a gallery with ``Gallery.open``. Safe to use from several threads."""

    path: Path | str  # its folder, or its address
    keeps_collections = False  # whether it has ``collections``
    uses_roots = False  # whether its paths are kept relative to named roots, so that machines can share them

    def __init__(self, model: Model | str | None, readonly: bool) -> None:
        self.readonly = readonly
        self._requested_model: Model | str | None = model
        self._loaded_model: Model | None = None if isinstance(model, str) else model
        self._lock = threading.RLock()

    @staticmethod
    def open(
        path: AnyPath | None = None,
        model: Model | str | None = None,
        readonly: bool = False,
        create: bool = True,
        roots: Mapping[str, AnyPath] | None = None,
    ) -> "Gallery":
        """The gallery in the folder ``path``, or at an address such as ``milvus://host:19530/name``.

        ``path``: default ``default_gallery()``. ``create``: make the gallery if it does not exist.

        ``model``: a ``Model``, or the name or path of a model folder. Default: the model that the gallery was indexed
        with; for a new gallery, the model that ships with sketchseek.

        ``roots``: name -> folder of this machine, for stores that keep paths relative to named roots. Default: those of
        $SKETCHSEEK_ROOTS.
        """
        place = path if path is not None else default_gallery()
        return opener(place)(place, model=model, readonly=readonly, create=create, roots=roots)

    @abstractmethod
    def close(self) -> None:
        """Close files and connections; the next call opens them again."""

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
            if self._loaded_model is None:
                from sketchseek.engine.models import load_search_model

                requested = self._requested_model
                self._loaded_model = load_search_model(requested) if isinstance(requested, str) else self._own_model()
            return self._loaded_model

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
        memory: int | None = None,
    ) -> "Report":
        """Update the gallery to what is in ``folders``; None: all indexed before. Unchanged files stay closed.

        When it returns, all that it reports is on disk. If it is stopped, it loses the work on at most ``batch``
        photos, and the next call continues. ``retry``: open files again that failed before. ``threads`` decode photos
        ahead of the model. ``memory``: bytes for photos on their way to it, default 1 GiB.
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
        """Like ``add``, but encode with the Ray cluster at the address ``ray``; "local" starts one on this machine.

        ``workers``: number of processes; default one for each GPU, or for every two cores.
        """
        raise GalleryError(
            f"Ray requires a gallery that many processes can write to, such as milvus://HOST:19530/NAME, not "
            f"{shown(self.path)}."
        )

    def switch(self, other: str) -> None:
        """Make this gallery's address open the gallery at ``other``, which is on the same server."""
        raise GalleryError(f"{shown(self.path)} cannot be switched to another gallery; an address on a server can.")

    @abstractmethod
    def remove(self, paths: AnyPath | Sequence[AnyPath]) -> int:
        """Remove files, or folders and all in them, from the gallery; returns how many files.

        The photos themselves stay on disk.
        """

    def rebuild(self) -> "list[Problem]":
        """Save what can be read of a damaged gallery, drop damaged vectors and build the index again.

        Returns what was lost.
        """
        raise self._unsupported("rebuild a gallery")

    # Reading.

    def search(
        self,
        query: Query | None = None,
        *,
        sketch: Any = None,
        photo: Any = None,
        text: str | Sequence[str] | None = None,
        colours: Any = None,
        minus: Any = None,
        like: str | Sequence[str] = (),
        unlike: str | Sequence[str] = (),
        weights: Mapping[str, float] | None = None,
        k: int = 20,
        look: Look = DEFAULT_LOOK,
        min_score: float | None = None,
        min_relevance: float = 0.0,
        under: AnyPath | None = None,
        taken: Taken = None,
        name: str | None = None,
        kind: str | None = None,
        camera: str | None = None,
        fold: float | None = None,
        skip: Iterable[str] = (),
    ) -> Hits:
        """The ``k`` photos that fit a query best, best first. The terms are those of ``Query``.

        ``look``: what to look for, "picture" (this very one), "kind" (more of its kind) or "both"; they compare the
        nearest photos with each other (see ``sketchseek.neighbours``). "direct" orders by score alone.
        ``under``: only photos in this folder or deeper. ``taken``: a date prefix ("2024", "2024-05") or (first, last),
        both included, either open as None. ``name``: only files with this in their names, in any case. ``kind``: only
        files of this format ("jpeg", "png", "heif", "raw", ...), by suffix. ``camera``: only photos of the camera
        with this name, as ``cameras`` lists them. ``fold``: photos with at least this cosine to a better hit become its
        duplicates. ``skip``: ids to omit. ``min_score`` drops hits below this cosine, ``min_relevance`` those below
        this relevance. ``Hits.weak`` says whether all hits are only the nearest, and probably not what was meant.
        """
        if query is None:
            given = {"sketch": sketch, "photo": photo, "text": text, "colours": colours, "minus": minus}
            terms = {kind: value for kind, value in given.items() if value is not None}
            query = Query(**terms, like=like, unlike=unlike, weights=weights or {})
        options = SearchOptions(
            k=k,
            look=look,
            min_score=min_score,
            min_relevance=min_relevance,
            filters=Filters(under=under, taken=taken, name=name, kind=kind, camera=camera),
            fold=fold,
            skip=frozenset(skip),
        )
        return self._search(query, options)

    def similar(self, id: str, **options: Any) -> Hits:
        """Photos similar to the photo ``id``, without itself. ``options`` are those of ``search``."""
        return self.search(Query(like=id), skip=[id], **options)

    @abstractmethod
    def photo(self, id: str) -> Hit:
        """The photo of an id, as a hit with score 1."""

    # For browsing without a query. Optional for a store.

    def sections(self, filters: Filters = EVERY_PHOTO) -> list[Section]:
        """The photos by month, newest first, those without a date last."""
        raise self._unsupported("list photos by date")

    def folder_sections(self, filters: Filters = EVERY_PHOTO) -> list[Section]:
        """The photos by the folder they are in, by path; a photo with copies in several folders is in each."""
        raise self._unsupported("list photos by folder")

    def section_page(self, first: str, count: int, filters: Filters = EVERY_PHOTO) -> list[Hit]:
        """``count`` photos of a month from the photo ``first`` on, for which ``Section.pages`` has ids."""
        raise self._unsupported("list photos by date")

    def folder_page(self, folder: AnyPath, first: str, count: int, filters: Filters = EVERY_PHOTO) -> list[Hit]:
        """The same for the section of a folder; ``filters.under`` does not count."""
        raise self._unsupported("list photos by folder")

    def folder_counts(self) -> dict[Path, int]:
        """Folders with photos directly in them, and how many files those are."""
        raise self._unsupported("list its folders")

    def cameras(self) -> dict[str, int]:
        """The names of the cameras that took photos, and how many, the busiest first."""
        raise self._unsupported("list cameras")

    @abstractmethod
    def stats(self) -> Stats:
        """What is in the gallery, in numbers."""

    @abstractmethod
    def failures(self) -> list[tuple[Path, str]]:
        """Files that could not be indexed, and why."""

    @property
    def collections(self) -> Collections:
        """The collections of photos and the saved searches that the gallery keeps. Optional for a store."""
        raise self._unsupported("keep collections")

    def verify(self) -> "list[Problem]":
        """Check the whole gallery; an empty list means that no problems were found."""
        raise self._unsupported("check a gallery")

    # For copying (see ``copying``). Optional: a store without these methods cannot be copied from or into.

    def current_model(self) -> ModelSet | None:
        """The model whose vectors are searched by default; None if there are none."""
        raise self._unsupported("copy a gallery")

    def indexed_folders(self) -> dict[bytes, int]:
        """The folders that were added, with the device each was on."""
        raise self._unsupported("copy a gallery")

    def entries(self, model: ModelSet) -> Iterator[list[Entry]]:
        """All files with their vectors, page by page."""
        raise self._unsupported("copy a gallery")

    def receive_copy(self, model: ModelSet) -> AbstractContextManager[tuple[Store, int]]:
        """(store, row of ``model`` in it) for writing; at the end of the block searches see what was written."""
        raise self._unsupported("copy a gallery")

    def count_under(self, folder: bytes) -> int:
        """How many files the gallery has in a folder, failed ones included."""
        raise self._unsupported("copy a gallery")

    def vectors_of(self, ids: Sequence[str]) -> dict[str, NDArray[np.float16]]:
        """id -> stored vector (size,); ids without a vector are omitted."""
        raise self._unsupported("copy a gallery")

    # For the classes of stores.

    @abstractmethod
    def _own_model(self) -> Model:
        """The model that the gallery was indexed with; called if ``Gallery.open`` was given no model."""

    @abstractmethod
    def _search(self, query: Query, options: SearchOptions) -> Hits:
        """The hits of a query; none if the gallery is empty."""

    @property
    def _model_source(self) -> str:
        """The name or path that loads this gallery's model again."""
        return self._requested_model if isinstance(self._requested_model, str) else self.model.name

    def _check_writable(self) -> None:
        if self.readonly:
            raise GalleryError(f"the gallery {shown(self.path)} was opened for reading only; open it without readonly.")

    def _unsupported(self, what: str) -> GalleryError:
        return GalleryError(f"the store of {shown(self.path)} cannot {what}; use a gallery in a folder for that.")

    def _unknown_photo(self, id: str) -> GalleryError:
        where = shown(self.path)
        return GalleryError(
            f"the gallery {where} has no photo {id!r}: it was removed or changed, or is of another gallery."
        )
