"""The gallery: a folder that holds what is known about your photos, and the questions one can ask it.

Any number of processes may read a gallery at once; one at a time may write. A reader sees whole batches, never half of
one. The photos themselves are only ever read.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from sketchseek.gallery.catalogue import Catalogue, ModelSet, absolute
from sketchseek.gallery.errors import GalleryDamagedError, GalleryError, NoGalleryError, plain_words, shown
from sketchseek.gallery.hits import Hit, Hits
from sketchseek.gallery.models import load_own, register, set_of
from sketchseek.gallery.query import Query, encode
from sketchseek.gallery.ranking import Taken, Wanted, hit_of, rank
from sketchseek.gallery.stats import Stats, gather
from sketchseek.gallery.writer import Writer, write_lock
from sketchseek.model import Model

if TYPE_CHECKING:
    from sketchseek.gallery.index import VectorIndex
    from sketchseek.gallery.ingest import Progress, Report
    from sketchseek.gallery.verify import Problem

AnyPath = str | os.PathLike[str]
BATCH = 32


class Gallery:
    """Open one with :meth:`open`. Safe to use from several threads."""

    def __init__(self, path: Path, model: Model | str | None, readonly: bool) -> None:
        self.path, self.readonly = path, readonly
        self._asked: Model | str | None = model
        self._loaded: Model | None = None if isinstance(model, str) else model
        self._lock = threading.RLock()
        self._index: VectorIndex | None = None
        self._catalogue: Catalogue | None = None

    @classmethod
    def open(
        cls, path: AnyPath | None = None, model: Model | str | None = None, readonly: bool = False, create: bool = True
    ) -> "Gallery":
        """The gallery in the folder ``path`` (see ``default_path``), made if it is not there, unless told otherwise.

        ``model``: a ``Model``, or a name for ``load_model``; without it, the one that the gallery was indexed with.
        """
        gallery = cls(Path(os.fsdecode(absolute(path))) if path is not None else default_path(), model, readonly)
        try:
            _ = gallery._reader
        except NoGalleryError:
            if readonly or not create:
                raise
            with gallery._writing():
                pass
        except GalleryDamagedError:
            pass  # whatever is asked of it will say so, and `rebuild` can be
        return gallery

    def close(self) -> None:
        with self._lock:
            if self._catalogue is not None:
                self._catalogue.close()
            self._catalogue = self._index = None

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
                from sketchseek.model import load_model

                self._loaded = load_model(self._asked) if isinstance(self._asked, str) else load_own(self._reader)
            return self._loaded

    # Writing.

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
        from sketchseek.gallery.index_files import keep
        from sketchseek.gallery.ingest import Ingestion, checked_folders

        if folders is None:
            folders = self.stats().folders
            if not folders:
                raise GalleryError(f"the gallery {shown(self.path)} knows no folders yet; name one to index.")
        asked = [folders] if isinstance(folders, str | os.PathLike) else list(folders)
        checked = checked_folders(asked, self._reader)
        model = self.model
        source = self._asked if isinstance(self._asked, str) else model.name
        with self._writing() as catalogue:
            before = catalogue.head()
            model_set = register(catalogue, model, source)
            run = Ingestion(catalogue, model, model_set, batch=batch, threads=threads or _cores(), progress=progress)
            report = run.run(checked, retry=retry)
            if catalogue.head() != before:
                keep(catalogue, model_set)
        return report

    def remove(self, paths: AnyPath | Sequence[AnyPath]) -> int:
        """Forget files, or folders and all in them, with their vectors; returns how many files.

        The photos stay where they are.
        """
        from sketchseek.gallery.index_files import keep

        several = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
        with self._writing() as catalogue:
            with catalogue.batch():
                removed = 0
                for path in several:
                    place = absolute(path)
                    removed += catalogue.remove_under(place)
                    catalogue.forget_folder(place)
                catalogue.drop_orphans()
            for model_set in catalogue.models():
                keep(catalogue, model_set)
        return removed

    def rebuild(self) -> "list[Problem]":
        """Save what can be read of a damaged database, drop damaged vectors, make the index files anew.

        Returns what was lost.
        """
        from sketchseek.gallery.index_files import keep
        from sketchseek.gallery.verify import repair

        self._may_write()
        with self._lock, write_lock(self.path):
            self.close()
            problems = repair(self.path)
            with closing(Writer(self.path)) as catalogue:
                for model_set in catalogue.models():
                    keep(catalogue, model_set, anew=True)
        return problems

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
        """The ``k`` photos nearest to a query, best first; equal scores by id. The terms are those of :class:`Query`.

        ``under``: only photos in this folder or deeper. ``taken``: a date prefix ("2024", "2024-05") or (first, last),
        both included, either open as None. ``fold``: photos with at least this cosine to a better hit become its
        duplicates. ``skip``: ids left out. ``min_score`` and ``min_relevance`` drop the rest; the latter does nothing
        where hits have no relevance.
        """
        if query is None:
            given = {"sketch": sketch, "photo": photo, "text": text, "minus": minus, "like": like, "unlike": unlike}
            query = Query(**{kind: value for kind, value in given.items() if value is not None}, weights=weights or {})
        with self._reading():
            model_set = self._set()
            if model_set is None:
                return Hits()
        parts = encode(query, lambda: self.model, self._vector)
        folder = absolute(under) if under is not None else None
        with self._reading():
            rows = (self._reader.vector_row(model_set.row, id) for id in skip)
            wanted = Wanted(
                k=k,
                min_score=min_score,
                min_relevance=min_relevance,
                under=folder,
                taken=taken,
                fold=fold,
                skip=frozenset(row for row in rows if row is not None),
            )
            calibration = getattr(self._loaded, "calibration", None)
            return rank(self._reader, self._current_index(model_set), parts, calibration, wanted)

    def similar(self, id: str, **options: Any) -> Hits:
        """Photos like the hit ``id``, without itself. ``options`` are those of :meth:`search`."""
        return self.search(Query(like=id), skip=[id], **options)

    def photo(self, id: str) -> Hit:
        """A photo by its id, with score 1: what a page shows large."""
        with self._reading():
            model_set = self._set()
            row = self._reader.vector_row(model_set.row, id) if model_set else None
            photo = self._reader.photo(row) if row is not None else None
        if photo is None:
            raise self._no_photo(id)
        return hit_of(photo, 1.0)

    def stats(self) -> Stats:
        with self._reading():
            return gather(self._reader)

    def failures(self) -> list[tuple[Path, str]]:
        """Files that could not be taken in, and why."""
        with self._reading():
            return [(Path(os.fsdecode(path)), reason) for path, reason in self._reader.failures()]

    def verify(self) -> "list[Problem]":
        """Check database, vectors and index files against each other; an empty list means that all is well."""
        from sketchseek.gallery.verify import problems

        with self._reading():
            return list(problems(self._reader))

    # Inside.

    @property
    def _reader(self) -> Catalogue:
        with self._lock:
            if self._catalogue is None:
                self._catalogue = Catalogue(self.path)
            return self._catalogue

    def _may_write(self) -> None:
        if self.readonly:
            raise GalleryError(f"the gallery {shown(self.path)} was opened for reading only; open it without readonly.")

    @contextmanager
    def _writing(self) -> Iterator[Writer]:
        self._may_write()
        with write_lock(self.path), closing(Writer(self.path)) as catalogue, plain_words(self.path, system=False):
            yield catalogue

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock, self._reader.snapshot():
            yield

    def _set(self) -> ModelSet | None:
        """The vectors to search in: of the model asked for, else the current ones; None if the gallery is empty."""
        return self._reader.current_model() if self._asked is None else set_of(self._reader, self.model)

    def _vector(self, id: str) -> NDArray[np.float32]:
        with self._reading():
            model_set = self._set()
            row = self._reader.vector_row(model_set.row, id) if model_set else None
            if model_set is None or row is None or not len(found := self._reader.vectors_of(model_set, [row])[1]):
                raise self._no_photo(id)
        vector = found[0].astype(np.float32)
        return np.asarray(vector / np.linalg.norm(vector))

    def _no_photo(self, id: str) -> GalleryError:
        where = shown(self.path)
        return GalleryError(
            f"the gallery {where} has no photo {id!r}: it was removed or changed, or is of another gallery."
        )

    def _current_index(self, model_set: ModelSet) -> "VectorIndex":
        from sketchseek.gallery.index_files import load_or_build

        if self._index is None or self._index.model.row != model_set.row:
            self._index = load_or_build(self._reader, model_set)
        self._index.refresh(self._reader)
        return self._index


def default_path() -> Path:
    """Where the gallery is when none is named: $SKETCHSEEK_GALLERY, else the platform's folder for data of programs."""
    if named := os.environ.get("SKETCHSEEK_GALLERY"):
        return Path(os.fsdecode(absolute(named)))
    from platformdirs import user_data_path

    return user_data_path("sketchseek", appauthor=False) / "gallery"


def _cores() -> int:
    """Cores this process may use; in a container fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
