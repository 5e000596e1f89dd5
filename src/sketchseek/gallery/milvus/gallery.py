"""A gallery on a Milvus server.

Any number of processes may read and write at once. When ``add`` or ``remove`` returns, all searches see its changes.
The name of a gallery is an alias: ``switch`` makes it point to another gallery, and open galleries follow.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.gallery.errors import GalleryError, NoGalleryError
from sketchseek.gallery.gallery import BATCH, Gallery
from sketchseek.gallery.hits import Hit, Hits
from sketchseek.gallery.milvus.address import Address, OtherIndexError, parse
from sketchseek.gallery.milvus.candidates import MilvusCandidates
from sketchseek.gallery.milvus.reader import Reader, within
from sketchseek.gallery.milvus.server import connect
from sketchseek.gallery.milvus.tables import MAX_RESULTS, Tables, create, find, id_of, photo_of_id
from sketchseek.gallery.milvus.writer import MilvusWriter
from sketchseek.gallery.models import check_size, load_own
from sketchseek.gallery.paths import AnyPath, as_list
from sketchseek.gallery.query import Query, encode, of_length_one
from sketchseek.gallery.ranking import SearchOptions, hit_of, rank
from sketchseek.gallery.records import Entry, ModelSet
from sketchseek.gallery.relevance import Background
from sketchseek.gallery.roots import Roots, named
from sketchseek.gallery.stats import SetStats, Stats
from sketchseek.gallery.store_protocols import Store
from sketchseek.model import Model
from sketchseek.parallel import usable_cores

if TYPE_CHECKING:
    from sketchseek.gallery.ingest import Ingestion, Progress, Report
    from sketchseek.gallery.records import Problem

FOLLOW_S = 5.0  # an open gallery notices within this time that its name was switched
BACKGROUND_S = 600.0  # how long a sample of vectors is valid
COUNT_S = 60.0  # how long a count of photos is valid while the number of files is the same


class MilvusGallery(Gallery):
    """Open one with ``Gallery.open("milvus://...")``. Safe to use from several threads."""

    path: str
    uses_roots = True

    def __init__(self, address: Address, model: Model | str | None, readonly: bool, roots: Roots) -> None:
        super().__init__(model, readonly)
        self.address, self.roots, self.path = address, roots, address.text
        self._client: Any = None
        self._tables: Tables | None = None
        self._tables_read_at = 0.0
        self._photo_count = (0.0, -1, 0)  # (when counted, number of files then, number of photos)
        self._sampled: tuple[str, float, Background] | None = None  # (collection, when, its background then)

    @classmethod
    def open_address(
        cls, text: str, model: Model | str | None, readonly: bool, create: bool, roots: Mapping[str, AnyPath]
    ) -> "MilvusGallery":
        """The gallery at an address; the first ``add``, which knows the size of vectors, makes a new one."""
        gallery = cls(parse(text), model, readonly, Roots(roots))
        try:
            if gallery._current_tables() is None and (readonly or not create):
                raise gallery._missing()
        except OtherIndexError:
            pass  # every use of it raises this error, but `rebuild` works
        except BaseException:
            gallery.close()
            raise
        return gallery

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = self._tables = None

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
        from sketchseek.gallery.ingest import Ingestion

        writer = self.writer(folders)
        threads = threads or usable_cores()
        run = Ingestion(
            writer, self.model, writer.tables.model, batch=batch, threads=threads, progress=progress, memory=memory
        )
        return self._run(run, writer, folders, retry)

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
        from sketchseek.gallery.milvus.ray_ingest import Job, RayIngestion

        writer = self.writer(folders)
        model = self._requested_model if self._requested_model is not None else writer.tables.model.source
        roots = {name: os.fsdecode(folder) for name, folder in self.roots.folders.items()}
        job = Job(self.path, writer.tables, roots, model, self.model.identity, batch, gpu=False)
        run = RayIngestion(writer, job, ray, workers, self.model, progress=progress)
        return self._run(run, writer, folders, retry)

    def _run(
        self, run: "Ingestion", writer: MilvusWriter, folders: AnyPath | Sequence[AnyPath] | None, retry: bool
    ) -> "Report":
        from sketchseek.gallery.ingest import checked_folders

        report = run.run(checked_folders(folders, writer), retry=retry)
        writer.finish()
        return report

    def remove(self, paths: AnyPath | Sequence[AnyPath]) -> int:
        self._check_writable()
        tables = self._current_tables()
        if tables is None:
            return 0
        writer = MilvusWriter(self._connected(), self.address, tables, self.roots)
        with writer.batch():
            removed = 0
            for path in as_list(paths):
                there = self.roots.path(self.roots.place(path))
                removed += writer.remove_under(there)
                writer.remove_folder(there)
        writer.finish()
        return removed

    def rebuild(self) -> "list[Problem]":
        """Build the index again, as in the address or as it was, and delete damaged rows; searches fail meanwhile."""
        from sketchseek.gallery.milvus.verify import reindex, repair

        self._check_writable()
        tables = find(self._connected(), self.address, any_index=True)
        if tables is None:
            raise self._missing()
        # The index first: a rebuild that was stopped leaves none, and without it no row can be read.
        reindex(self._connected(), self.address, tables)
        problems = repair(self._reader_of(tables))
        self._forget_tables()
        return problems

    def switch(self, other: str) -> None:
        from sketchseek.gallery.milvus.tables import switch

        self._check_writable()
        switch(self._connected(), self.address, parse(other))
        self._forget_tables()

    def writer(self, folders: AnyPath | Sequence[AnyPath] | None = ()) -> MilvusWriter:
        """A writer for this gallery's model; makes the gallery if necessary. Rejects ``folders`` outside the roots."""
        self._check_writable()
        for folder in as_list(folders or ()):
            self.roots.place(folder)
        return self._writer_of(self.model, self._model_source)

    # Reading.

    def _search(self, query: Query, options: SearchOptions) -> Hits:
        if options.k > MAX_RESULTS // 2:
            raise GalleryError(f"k is {options.k}; a gallery on a server returns at most {MAX_RESULTS // 2:,} hits.")
        reader = self._reader()
        if reader is None:
            return Hits()
        if self._requested_model is not None:
            self._check(reader.tables, self.model)
        # The model of these vectors, even if the name points to another gallery by now.
        parts = encode(query, lambda: self._encoder(reader.tables), lambda id: self._vector(reader, id))
        return rank(MilvusCandidates(reader, options, lambda: self._background(reader)), parts, options)

    def photo(self, id: str) -> Hit:
        reader, number = self._reader(), photo_of_id(id)
        photo = reader.photos([number]).get(number) if reader and number is not None else None
        if photo is None:
            raise self._unknown_photo(id)
        return hit_of(photo, 1.0)

    def stats(self) -> Stats:
        reader = self._reader()
        if reader is None:
            return Stats(self.path, 0, 0, 0, 0, [], [], generation=0, bytes=None)
        model, files, failed = reader.tables.model, reader.count(), len(reader.failures())
        photos = self._count_photos(reader, files)
        folders = [Path(os.fsdecode(path)) for path in reader.all_folders()]
        sets = [SetStats(model.name, model.identity, model.size, photos, current=True)]
        return Stats(self.path, photos, files + failed, files - photos, failed, folders, sets, generation=0, bytes=None)

    def failures(self) -> list[tuple[Path, str]]:
        reader = self._reader()
        return [(Path(os.fsdecode(path)), reason) for path, reason in reader.failures()] if reader else []

    def verify(self) -> "list[Problem]":
        from sketchseek.gallery.milvus.verify import problems

        reader = self._reader()
        return problems(reader) if reader else []

    # For copying.

    def current_model(self) -> ModelSet | None:
        tables = self._current_tables()
        return tables.model if tables else None

    def indexed_folders(self) -> dict[bytes, int]:
        reader = self._reader()
        return reader.all_folders() if reader else {}

    def entries(self, model: ModelSet) -> Iterator[list[Entry]]:
        reader = self._reader()
        return reader.entries() if reader else iter(())

    @contextmanager
    def receive_copy(self, model: ModelSet) -> Iterator[tuple[Store, int]]:
        self._check_writable()
        writer = self._writer_of(model, model.source)
        yield writer, writer.tables.model.row
        writer.finish()

    def count_under(self, folder: bytes) -> int:
        reader = self._reader()
        if reader is None:
            return 0
        inside = within(self.roots.place(folder))
        failed = reader.count(f'kind == "failure" and {inside}', notes=True, fresh=True)
        return reader.count(inside, fresh=True) + failed

    def vectors_of(self, ids: Sequence[str]) -> dict[str, NDArray[np.float16]]:
        reader = self._reader()
        numbers = [number for id in ids if (number := photo_of_id(id)) is not None]
        found = reader.vectors(numbers) if reader and numbers else {}
        return {id_of(number): vector for number, vector in found.items()}

    # Internal.

    def _own_model(self) -> Model:
        tables = self._current_tables()
        if tables is None:
            from sketchseek.engine.models import load_search_model

            return load_search_model()
        return load_own(self._reader_of(tables))

    def _writer_of(self, model: Model | ModelSet, source: str) -> MilvusWriter:
        """A writer for the vectors of ``model``, which ``source`` loads; makes the gallery if necessary."""
        tables = self._current_tables()
        if tables is None:
            tables = create(self._connected(), self.address, model.identity, model.name, source, model.size)
            self._forget_tables()
        self._check(tables, model)
        return MilvusWriter(self._connected(), self.address, tables, self.roots)

    def _encoder(self, tables: Tables) -> Model:
        """The model of the vectors in ``tables``, which may differ from the model of the last search."""
        with self._lock:
            loaded = self._loaded_model
            if self._requested_model is None and loaded is not None and loaded.identity != tables.model.identity:
                self._loaded_model = None
            model = self.model
        self._check(tables, model)
        return model

    def _check(self, tables: Tables, model: Model | ModelSet) -> None:
        """Raise an error if vectors of ``model`` must not be mixed with those in ``tables``."""
        kept = tables.model
        if kept.identity != model.identity:
            raise GalleryError(
                f"the vectors in the gallery {self.path} were made by {kept.name}, and those of {model.name} cannot be "
                f"compared with them; use --model {kept.source}, or index into a gallery of another name and then run "
                "`sketchseek gallery switch`."
            )
        check_size(kept, model, self.path)

    def _vector(self, reader: Reader, id: str) -> NDArray[np.float32]:
        number = photo_of_id(id)
        content = reader.content_row(number) if number is not None else None
        if content is None:
            raise self._unknown_photo(id)
        return of_length_one(content.vector)

    def _count_photos(self, reader: Reader, files: int) -> int:
        """How many photos; counted again, which reads the number of every row, if it may have changed."""
        counted_at, counted_files, photos = self._photo_count
        if counted_files != files or time.monotonic() - counted_at > COUNT_S:
            photos = reader.count_photos()
            self._photo_count = (time.monotonic(), files, photos)
        return photos

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = connect(self.address)
            return self._client

    def _current_tables(self) -> Tables | None:
        """The collections that the name points to; read again after a while, because of ``switch``."""
        with self._lock:
            if self._tables is None or time.monotonic() - self._tables_read_at > FOLLOW_S:
                self._tables = find(self._connected(), self.address)
                self._tables_read_at = time.monotonic()
            return self._tables

    def _forget_tables(self) -> None:
        with self._lock:
            self._tables = None

    def _reader_of(self, tables: Tables) -> Reader:
        return Reader(self._connected(), self.address, tables, self.roots)

    def _background(self, reader: Reader) -> Background:
        """The background of the files, up to ``BACKGROUND_S`` old: it changes slowly, and reading it takes a while."""
        now, sampled = time.monotonic(), self._sampled
        if sampled is None or sampled[0] != reader.tables.files or now > sampled[1] + BACKGROUND_S:
            sampled = self._sampled = reader.tables.files, now, reader.background()
        return sampled[2]

    def _reader(self) -> Reader | None:
        tables = self._current_tables()
        return self._reader_of(tables) if tables else None

    def _missing(self) -> NoGalleryError:
        return NoGalleryError(
            f"there is no gallery {self.path}; make one with `sketchseek index FOLDER`, or name another one with "
            "--gallery."
        )


def open_store(
    address: AnyPath, *, model: Model | str | None, readonly: bool, create: bool, roots: Mapping[str, AnyPath] | None
) -> MilvusGallery:
    """The gallery at an address; ``roots``: name -> folder of this machine, default those of $SKETCHSEEK_ROOTS."""
    return MilvusGallery.open_address(str(address), model, readonly, create, named() if roots is None else roots)
