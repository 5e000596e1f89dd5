"""The gallery in a folder on this machine: SQLite keeps the data, FAISS finds the nearest vectors.

Any number of processes may read it at once; only one may write. A reader sees whole batches, never half of one.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sketchseek.gallery.collections import Collections
from sketchseek.gallery.embedded import browsing
from sketchseek.gallery.embedded.candidates import EmbeddedCandidates
from sketchseek.gallery.embedded.catalogue import Catalogue
from sketchseek.gallery.embedded.collections import EmbeddedCollections
from sketchseek.gallery.embedded.opening import open_catalogue, prepare, tidy
from sketchseek.gallery.embedded.sqlite_errors import as_gallery_errors
from sketchseek.gallery.embedded.writer import Writer, register, write_lock
from sketchseek.gallery.errors import GalleryDamagedError, NoGalleryError
from sketchseek.gallery.filters import EVERY_PHOTO, Filters
from sketchseek.gallery.gallery import BATCH, Gallery
from sketchseek.gallery.hits import Hit, Hits
from sketchseek.gallery.models import load_own, set_of
from sketchseek.gallery.paths import AnyPath, absolute, as_list
from sketchseek.gallery.query import Query, encode, of_length_one
from sketchseek.gallery.ranking import SearchOptions, hit_of, rank
from sketchseek.gallery.records import Entry, ModelSet
from sketchseek.gallery.sections import Section
from sketchseek.gallery.stats import SetStats, Stats
from sketchseek.gallery.store_protocols import Store
from sketchseek.model import Model
from sketchseek.parallel import usable_cores

if TYPE_CHECKING:
    from sketchseek.gallery.embedded.index import VectorIndex
    from sketchseek.gallery.ingest import Progress, Report
    from sketchseek.gallery.records import Problem
PAGE = 1000  # files that a copy reads at once


class EmbeddedGallery(Gallery):
    """Open one with ``Gallery.open``. Safe to use from several threads."""

    keeps_collections = True

    def __init__(self, path: Path, model: Model | str | None, readonly: bool) -> None:
        super().__init__(model, readonly)
        self.path: Path = path
        self._index: VectorIndex | None = None
        self._catalogue: Catalogue | None = None

    @classmethod
    def open_folder(cls, path: Path, model: Model | str | None, readonly: bool, create: bool) -> "EmbeddedGallery":
        """See :func:`open_store`."""
        gallery = cls(path, model, readonly)
        try:
            _ = gallery._reader
        except NoGalleryError:
            if readonly or not create:
                raise
            with gallery._writing():
                pass
        except GalleryDamagedError:
            pass  # every use of it raises this error, but `rebuild` works
        return gallery

    def close(self) -> None:
        with self._lock:
            if self._catalogue is not None:
                self._close_reader()
                tidy(self.path)

    # Writing.

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
        from sketchseek.gallery.embedded.index_files import update_saved_index
        from sketchseek.gallery.ingest import Ingestion, checked_folders

        with closing(open_catalogue(self.path)) as reader, reader.snapshot():
            checked = checked_folders(folders, reader)
        model = self.model
        with self._writing() as catalogue:
            before = catalogue.head()
            model_set = register(catalogue, model, self._model_source)
            run = Ingestion(
                catalogue,
                model,
                model_set,
                batch=batch,
                threads=threads or usable_cores(),
                progress=progress,
                memory=memory,
            )
            report = run.run(checked, retry=retry)
            if catalogue.head() != before:
                update_saved_index(catalogue, model_set)
        return report

    def remove(self, paths: AnyPath | Sequence[AnyPath]) -> int:
        from sketchseek.gallery.embedded.index_files import update_saved_index

        with self._writing() as catalogue:
            with catalogue.batch():
                removed = 0
                for path in as_list(paths):
                    place = absolute(path)
                    removed += catalogue.remove_under(place)
                    catalogue.remove_folder(place)
                catalogue.drop_orphans()
            for model_set in catalogue.models():
                update_saved_index(catalogue, model_set)
        return removed

    def rebuild(self) -> "list[Problem]":
        from sketchseek.gallery.embedded.index_files import update_saved_index
        from sketchseek.gallery.embedded.verify import repair

        self._check_writable()
        with self._lock, write_lock(self.path):
            self._close_reader()
            with suppress(GalleryDamagedError):
                prepare(self.path)
            problems = repair(self.path)
            with closing(Writer(self.path)) as catalogue:
                for model_set in catalogue.models():
                    update_saved_index(catalogue, model_set, from_scratch=True)
        return problems

    # Reading.

    def _search(self, query: Query, options: SearchOptions) -> Hits:
        with self._reading():
            model_set = self._set()
            if model_set is None:
                return Hits()
        parts = encode(query, lambda: self.model, self._vector)
        with self._reading():
            candidates = EmbeddedCandidates(self._reader, self._current_index(model_set), options)
            return rank(candidates, parts, options)

    def photo(self, id: str) -> Hit:
        with self._reading():
            model_set = self._set()
            row = self._reader.vector_row(model_set.row, id) if model_set else None
            photo = self._reader.photo(row) if row is not None else None
        if photo is None or photo.id != id:
            raise self._unknown_photo(id)
        return hit_of(photo, 1.0)

    def sections(self, filters: Filters = EVERY_PHOTO) -> list[Section]:
        with self._reading():
            model = self._set()
            return browsing.sections(self._reader, model.row, filters) if model else []

    def folder_sections(self, filters: Filters = EVERY_PHOTO) -> list[Section]:
        with self._reading():
            model = self._set()
            return browsing.folder_sections(self._reader, model.row, filters) if model else []

    def section_page(self, first: str, count: int, filters: Filters = EVERY_PHOTO) -> list[Hit]:
        folder = None if filters.under is None else absolute(filters.under)
        with self._reading():
            model = self._set()
            photos = browsing.page(self._reader, model.row, filters, first, count) if model else None
        if photos is None:
            raise self._unknown_photo(first)
        return [hit_of(photo, 1.0, folder, filters) for photo in photos]

    def folder_page(self, folder: AnyPath, first: str, count: int, filters: Filters = EVERY_PHOTO) -> list[Hit]:
        inside = absolute(folder)
        with self._reading():
            model = self._set()
            photos = browsing.folder_page(self._reader, model.row, inside, filters, first, count) if model else None
        if photos is None:
            raise self._unknown_photo(first)
        return [hit_of(photo, 1.0, inside, filters) for photo in photos]

    def folder_counts(self) -> dict[Path, int]:
        with self._reading():
            return {Path(os.fsdecode(path)): count for path, count in browsing.folder_counts(self._reader).items()}

    def cameras(self) -> dict[str, int]:
        with self._reading():
            return self._reader.cameras()

    def stats(self) -> Stats:
        with self._reading():
            return stats_of(self._reader)

    def failures(self) -> list[tuple[Path, str]]:
        with self._reading():
            return [(Path(os.fsdecode(path)), reason) for path, reason in self._reader.failures()]

    @property
    def collections(self) -> Collections:
        return EmbeddedCollections(self.path, self._reading, self._check_writable)

    def verify(self) -> "list[Problem]":
        from sketchseek.gallery.embedded.verify import problems

        with self._reading():
            return list(problems(self._reader))

    # For copying.

    def current_model(self) -> ModelSet | None:
        with self._reading():
            return self._reader.current_model()

    def indexed_folders(self) -> dict[bytes, int]:
        with self._reading():
            return self._reader.folders()

    def entries(self, model: ModelSet) -> Iterator[list[Entry]]:
        with closing(open_catalogue(self.path)) as catalogue, catalogue.snapshot():
            path = b""
            while page := catalogue.entries_after(model, path, PAGE):
                yield page
                path = page[-1].path

    @contextmanager
    def receive_copy(self, model: ModelSet) -> Iterator[tuple[Store, int]]:
        from sketchseek.gallery.embedded.index_files import update_saved_index

        with self._writing() as catalogue:
            known = {one.identity: one for one in catalogue.models()}
            if model.identity not in known:
                with catalogue.batch():
                    own = catalogue.add_model(model.identity, model.name, model.source, model.size)
            else:
                own = known[model.identity]
            yield catalogue, own.row
            if not catalogue.missing(own.row):
                with catalogue.batch():
                    catalogue.use_model(own.row)
            update_saved_index(catalogue, own)

    def count_under(self, folder: bytes) -> int:
        with self._reading():
            return self._reader.count_under(folder)

    def vectors_of(self, ids: Sequence[str]) -> dict[str, NDArray[np.float16]]:
        found: dict[str, NDArray[np.float16]] = {}
        with self._reading():
            model = self._reader.current_model()
            if model is None:
                return found
            for id in ids:
                row = self._reader.vector_row(model.row, id)
                if row is not None and len(vectors := self._reader.vectors_of(model, [row])[1]):
                    found[id] = vectors[0]
        return found

    # Internal.

    def _own_model(self) -> Model:
        return load_own(self._reader)

    def _close_reader(self) -> None:
        if self._catalogue is not None:
            self._catalogue.close()
        self._catalogue = self._index = None

    @property
    def _reader(self) -> Catalogue:
        with self._lock:
            if self._catalogue is None:
                self._catalogue = open_catalogue(self.path)
            return self._catalogue

    @contextmanager
    def _writing(self) -> Iterator[Writer]:
        self._check_writable()
        with write_lock(self.path):
            prepare(self.path)
            with closing(Writer(self.path)) as catalogue, as_gallery_errors(self.path, system_errors=False):
                yield catalogue

    @contextmanager
    def _reading(self) -> Iterator[Catalogue]:
        with self._lock:
            if self._catalogue is not None and self._catalogue.is_outdated():
                self._close_reader()
            with self._reader.snapshot():
                yield self._reader

    def _set(self) -> ModelSet | None:
        """The vectors to search: those of the requested model, or the current ones; None if the gallery is empty."""
        return self._reader.current_model() if self._requested_model is None else set_of(self._reader, self.model)

    def _vector(self, id: str) -> NDArray[np.float32]:
        with self._reading():
            model_set = self._set()
            row = self._reader.vector_row(model_set.row, id) if model_set else None
            if model_set is None or row is None or not len(found := self._reader.vectors_of(model_set, [row])[1]):
                raise self._unknown_photo(id)
        return of_length_one(found[0])

    def _current_index(self, model_set: ModelSet) -> "VectorIndex":
        from sketchseek.gallery.embedded.index_files import load_or_build

        index = self._index
        if index is None or index.model.row != model_set.row or not index.belongs_to(self._reader):
            index = self._index = load_or_build(self._reader, model_set)
        index.refresh(self._reader)
        return index


def stats_of(catalogue: Catalogue) -> Stats:
    """The numbers of a gallery; call it inside a snapshot."""
    current = catalogue.current_model()
    models = [
        SetStats(one.name, one.identity, one.size, catalogue.vectors_count(one.row), one == current)
        for one in catalogue.models()
    ]
    return Stats(
        catalogue.folder,
        **catalogue.counts(),
        folders=[Path(os.fsdecode(path)) for path in catalogue.folders()],
        models=models,
        generation=catalogue.head().generation,
        bytes=sum(entry.stat().st_size for entry in catalogue.folder.iterdir() if entry.is_file()),
    )


def open_store(
    address: AnyPath,
    *,
    model: Model | str | None,
    readonly: bool,
    create: bool,
    roots: Mapping[str, AnyPath] | None,  # noqa: ARG001 - for stores that several machines share
) -> EmbeddedGallery:
    """The gallery in a folder; ``create``: make it if it does not exist."""
    return EmbeddedGallery.open_folder(Path(os.fsdecode(absolute(address))), model, readonly, create)
