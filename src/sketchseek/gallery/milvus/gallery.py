"""``Gallery`` over a Milvus server: what differs from a folder is where things are and who may write.

Any number of processes may read and write at once. When ``add`` or ``remove`` returns, everybody's searches see what
they did. The name is an alias: ``switch`` makes it lead to another gallery, and whoever has it open follows.
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
from sketchseek.gallery.milvus.tables import MOST, Tables, create, find, id_of, photo_of_id
from sketchseek.gallery.milvus.writer import MilvusWriter
from sketchseek.gallery.models import load_own
from sketchseek.gallery.paths import AnyPath, as_list
from sketchseek.gallery.query import Query, encode, of_length_one
from sketchseek.gallery.ranking import SearchOptions, hit_of, rank
from sketchseek.gallery.records import Entry, ModelSet
from sketchseek.gallery.roots import Roots, named
from sketchseek.gallery.stats import SetStats, Stats
from sketchseek.gallery.store import Store
from sketchseek.model import Model
from sketchseek.parallel import usable_cores

if TYPE_CHECKING:
    from sketchseek.gallery.ingest import Ingestion, Progress, Report
    from sketchseek.gallery.records import Problem

FOLLOW_S = 5.0  # how long an open gallery may miss that its name was switched
COUNT_S = 60.0  # how long a count of distinct photos holds while the number of files is the same


class MilvusGallery(Gallery):
    """Open one with ``Gallery.open("milvus://...")``. Safe to use from several threads."""

    path: str
    uses_roots = True

    def __init__(self, address: Address, model: Model | str | None, readonly: bool, roots: Roots) -> None:
        super().__init__(model, readonly)
        self.address, self.roots, self.path = address, roots, address.text
        self._client: Any = None
        self._tables: Tables | None = None
        self._looked = 0.0
        self._photos = (0.0, -1, 0)  # when, of how many files, how many photos

    @classmethod
    def open_address(
        cls, text: str, model: Model | str | None, readonly: bool, create: bool, roots: Mapping[str, AnyPath]
    ) -> "MilvusGallery":
        """The gallery at an address; a new one is made by the first ``add``, which knows the size of vectors."""
        gallery = cls(parse(text), model, readonly, Roots(roots))
        try:
            if gallery._bound() is None and (readonly or not create):
                raise gallery._missing()
        except OtherIndexError:
            pass  # whatever is asked of it will say so, and `rebuild` can be
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
    ) -> "Report":
        from sketchseek.gallery.ingest import Ingestion

        writer = self.writer(folders)
        threads = threads or usable_cores()
        run = Ingestion(writer, self.model, writer.tables.model, batch=batch, threads=threads, progress=progress)
        return self._finished(run, writer, folders, retry)

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
        model = self._asked if self._asked is not None else writer.tables.model.source
        roots = {name: os.fsdecode(folder) for name, folder in self.roots.folders.items()}
        job = Job(self.path, writer.tables, roots, model, self.model.identity, batch, gpu=False)
        run = RayIngestion(writer, job, ray, workers, self.model, progress=progress)
        return self._finished(run, writer, folders, retry)

    def _finished(
        self,
        run: "Ingestion",
        writer: MilvusWriter,
        folders: AnyPath | Sequence[AnyPath] | None,
        retry: bool,
    ) -> "Report":
        from sketchseek.gallery.ingest import checked_folders

        report = run.run(checked_folders(self.asked_folders(folders), writer), retry=retry)
        writer.finish()
        return report

    def remove(self, paths: AnyPath | Sequence[AnyPath]) -> int:
        self._may_write()
        bound = self._bound()
        if bound is None:
            return 0
        writer = MilvusWriter(self._connected(), self.address, bound, self.roots)
        with writer.batch():
            removed = 0
            for path in as_list(paths):
                there = self.roots.path(self.roots.place(path))
                removed += writer.remove_under(there)
                writer.forget_folder(there)
        writer.finish()
        return removed

    def rebuild(self) -> "list[Problem]":
        """Make the index anew, as the address says or as it was, and drop rows that cannot be true.

        Searches fail meanwhile.
        """
        from sketchseek.gallery.milvus.verify import reindex, repair

        self._may_write()
        tables = find(self._connected(), self.address, any_index=True)
        if tables is None:
            raise self._missing()
        # First the index: without one, as a run that was stopped leaves it, no row can be read.
        reindex(self._connected(), self.address, tables)
        problems = repair(self._at(tables))
        self._forget_binding()
        return problems

    def switch(self, other: str) -> None:
        from sketchseek.gallery.milvus.tables import switch

        self._may_write()
        switch(self._connected(), self.address, parse(other))
        self._forget_binding()

    def writer(self, folders: AnyPath | Sequence[AnyPath] | None = ()) -> MilvusWriter:
        """For this gallery's model; makes the gallery if there is none. ``folders`` that cannot be kept are refused."""
        self._may_write()
        for folder in as_list(folders or ()):
            self.roots.place(folder)
        model = self.model
        return self._writer_of(model, self._asked if isinstance(self._asked, str) else model.name)

    # Asking.

    def _answer(self, query: Query, options: SearchOptions) -> Hits:
        if options.k > MOST // 2:
            raise GalleryError(f"k is {options.k}; a gallery on a server gives at most {MOST // 2:,} hits.")
        reader = self._reader()
        if reader is None:
            return Hits()
        if self._asked is not None:
            self._check(reader.tables, self.model)
        # The model of these very vectors, whatever the name leads to by now.
        parts = encode(query, lambda: self._encoder(reader.tables), lambda id: self._vector(reader, id))
        return rank(MilvusCandidates(reader, options), parts, getattr(self._loaded, "calibration", None), options)

    def photo(self, id: str) -> Hit:
        reader, number = self._reader(), photo_of_id(id)
        photo = reader.photos([number]).get(number) if reader and number is not None else None
        if photo is None:
            raise self._no_photo(id)
        return hit_of(photo, 1.0)

    def stats(self) -> Stats:
        reader = self._reader()
        if reader is None:
            return Stats(self.path, 0, 0, 0, 0, [], [], generation=0, bytes=None)
        model, files, failed = reader.tables.model, reader.count(), len(reader.failures())
        photos = self._distinct(reader, files)
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

    # Moving house.

    def kept_model(self) -> ModelSet | None:
        tables = self._bound()
        return tables.model if tables else None

    def kept_folders(self) -> dict[bytes, int]:
        reader = self._reader()
        return reader.all_folders() if reader else {}

    def entries(self, model: ModelSet) -> Iterator[list[Entry]]:
        reader = self._reader()
        return reader.entries() if reader else iter(())

    @contextmanager
    def receiving(self, model: ModelSet) -> Iterator[tuple[Store, int]]:
        self._may_write()
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

    # Inside.

    def _own_model(self) -> Model:
        tables = self._bound()
        if tables is None:
            from sketchseek.engine.models import load_search_model

            return load_search_model()
        return load_own(self._at(tables))

    def _writer_of(self, model: Model | ModelSet, source: str) -> MilvusWriter:
        """For the vectors of ``model``, which ``source`` loads; makes the gallery if there is none."""
        tables = self._bound()
        if tables is None:
            tables = create(self._connected(), self.address, model.identity, model.name, source, model.size)
            self._forget_binding()
        self._check(tables, model)
        return MilvusWriter(self._connected(), self.address, tables, self.roots)

    def _encoder(self, tables: Tables) -> Model:
        """The model of the vectors in ``tables``, which may be others than those of the last search."""
        with self._lock:
            if self._asked is None and self._loaded is not None and self._loaded.identity != tables.model.identity:
                self._loaded = None
            model = self.model
        self._check(tables, model)
        return model

    def _check(self, tables: Tables, model: Model | ModelSet) -> None:
        """Vectors of two models are never mixed."""
        kept = tables.model
        if kept.identity != model.identity:
            raise GalleryError(
                f"the vectors in the gallery {self.path} were made by {kept.name}, and those of {model.name} cannot be "
                f"compared with them; use --model {kept.source}, or index into a gallery of another name and then run "
                "`sketchseek gallery switch`."
            )
        if kept.size != model.size:
            raise GalleryError(
                f"the model {model.name} makes vectors of {model.size} numbers, but those it made for the gallery "
                f"{self.path} have {kept.size}; name another model or another gallery."
            )

    def asked_folders(self, folders: AnyPath | Sequence[AnyPath] | None) -> list[AnyPath]:
        """``folders``, or all that the gallery knows in the roots of this machine."""
        if folders is not None:
            return as_list(folders)
        reader = self._reader()
        known: list[AnyPath] = [os.fsdecode(path) for path in reader.folders()] if reader else []
        if not known:
            raise GalleryError(f"the gallery {self.path} knows no folders in the roots of this machine; name one.")
        return known

    def _vector(self, reader: Reader, id: str) -> NDArray[np.float32]:
        number = photo_of_id(id)
        content = reader.content_row(number) if number is not None else None
        if content is None:
            raise self._no_photo(id)
        return of_length_one(content.vector)

    def _distinct(self, reader: Reader, files: int) -> int:
        """How many photos; counted anew, which reads a number of every row, when it may have changed."""
        when, of, photos = self._photos
        if of != files or time.monotonic() - when > COUNT_S:
            photos = reader.distinct()
            self._photos = (time.monotonic(), files, photos)
        return photos

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = connect(self.address)
            return self._client

    def _bound(self) -> Tables | None:
        """What the name leads to, asked again now and then."""
        with self._lock:
            if self._tables is None or time.monotonic() - self._looked > FOLLOW_S:
                self._tables = find(self._connected(), self.address)
                self._looked = time.monotonic()
            return self._tables

    def _forget_binding(self) -> None:
        with self._lock:
            self._tables = None

    def _at(self, tables: Tables) -> Reader:
        return Reader(self._connected(), self.address, tables, self.roots)

    def _reader(self) -> Reader | None:
        tables = self._bound()
        return self._at(tables) if tables else None

    def _missing(self) -> NoGalleryError:
        return NoGalleryError(
            f"there is no gallery {self.path}; make one with `sketchseek index FOLDER`, or name another one with "
            "--gallery."
        )


def open_store(
    address: AnyPath, *, model: Model | str | None, readonly: bool, create: bool, roots: Mapping[str, AnyPath] | None
) -> MilvusGallery:
    """The gallery at an address; ``roots``: names and folders of this machine, else those of $SKETCHSEEK_ROOTS."""
    return MilvusGallery.open_address(str(address), model, readonly, create, named() if roots is None else roots)
