"""The writing side of the catalogue."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sketchseek.gallery.embedded.catalogue import Catalogue, connect
from sketchseek.gallery.embedded.rows import is_intact, row_crc
from sketchseek.gallery.embedded.schema import SCHEMA
from sketchseek.gallery.embedded.sqlite_errors import as_gallery_errors
from sketchseek.gallery.errors import GalleryBusyError
from sketchseek.gallery.models import check_size
from sketchseek.gallery.paths import absolute, below
from sketchseek.gallery.records import ModelSet
from sketchseek.model import Model
from sketchseek.wording import shown

LOCK_WAIT = 1.0  # seconds: a process that only closes a gallery holds the lock for milliseconds


@contextmanager
def write_lock(folder: Path, wait: float = LOCK_WAIT) -> Iterator[None]:
    """Held by one process at a time; the system releases it if that process dies. ``wait``: seconds."""
    from filelock import FileLock, Timeout

    with as_gallery_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "write.lock", thread_local=False)
        try:
            lock.acquire(timeout=wait)
        except Timeout:
            raise GalleryBusyError(
                f"another process is writing to the gallery {shown(folder)}; wait until it has finished, or name "
                "another gallery."
            ) from None
    try:
        yield
    finally:
        lock.release()


class Writer(Catalogue):
    """A connection for writing, which creates the database if necessary. The caller holds the gallery's write lock."""

    def _connect(self) -> sqlite3.Connection:
        self.folder.mkdir(parents=True, exist_ok=True)
        db = connect(self.path.absolute().as_uri())
        db.execute("PRAGMA journal_mode = WAL")
        # FULL: every commit is flushed to the disk, so that what a finished `add` reports survives a power cut.
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        return db

    def _check(self) -> None:
        if not self._one("SELECT count(*) FROM sqlite_master")[0]:
            self._db.executescript("BEGIN IMMEDIATE;" + SCHEMA + "COMMIT;")
        super()._check()

    def close(self) -> None:
        """Move everything into the one database file, unless a reader still needs the log beside it."""
        try:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            pass  # a full disk: the log stays and is read as well
        finally:
            super().close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written inside becomes visible and durable together, or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite may have rolled back by itself when the disk was full
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def batch(self) -> Iterator[None]:
        """A transaction that changes files or vectors: readers look for what is new."""
        with as_gallery_errors(self.folder), self.transaction():
            head = self.head()
            self._removed_vectors = 0
            yield
            commit = (head.generation + 1, os.urandom(8), head.epoch + bool(self._removed_vectors))
            self._db.execute("INSERT INTO commits VALUES (?, ?, ?, ?)", (*commit, row_crc(*commit)))

    def write(self, sql: str, values: Sequence[object]) -> int:
        """Execute one statement in a transaction; returns how many rows it changed."""
        return self._db.execute(sql, values).rowcount

    def add_model(self, identity: str, name: str, source: str, size: int) -> ModelSet:
        row = 1 + max((model.row for model in self.models()), default=0)
        model_set = ModelSet(row, identity, name, source, size, used=0)
        self._db.execute("INSERT INTO models VALUES (?, ?, ?, ?, ?, ?, ?)", (*astuple(model_set), _crc(model_set)))
        return model_set

    def use_model(self, model: int) -> None:
        """See ``Store``."""
        sets = {model_set.row: model_set for model_set in self.models()}
        newest = replace(sets[model], used=1 + max(model_set.used for model_set in sets.values()))
        self._db.execute("UPDATE models SET used = ?, crc = ? WHERE row = ?", (newest.used, _crc(newest), model))

    def add_folder(self, path: bytes, device: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO folders VALUES (?, ?, ?)", (path, device, row_crc(path, device)))

    def remove_folder(self, path: bytes) -> None:
        self._db.execute("DELETE FROM folders WHERE path = ? OR (path >= ? AND path < ?)", (path, *below(path)))

    def add_content(self, digest: bytes, width: int, height: int, taken: str | None) -> int:
        known = self._db.execute("SELECT row FROM contents WHERE hash = ?", (digest,)).fetchone()
        if known:
            return int(known[0])
        values = (digest, width, height, taken)
        row = self._db.execute(
            "INSERT INTO contents (hash, width, height, taken, crc) VALUES (?, ?, ?, ?, 0)", values
        ).lastrowid
        assert row is not None
        self._db.execute("UPDATE contents SET crc = ? WHERE row = ?", (row_crc(row, *values), row))
        return row

    def add_vector(self, model: int, content: int, vector: NDArray[np.float32], lines: bytes | None = None) -> None:
        """See ``LinesStore``."""
        values = (model, content, lines, vector.astype("<f2").tobytes())
        sql = (
            "INSERT INTO vectors (model, content, lines, vector, crc) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (content, model) DO NOTHING"
        )
        if not self._db.execute(sql, (*values, row_crc(*values))).rowcount and lines is not None:
            self._add_lines(model, content, lines)

    def _add_lines(self, model: int, content: int, lines: bytes) -> None:
        """Give a vector that has no outlines these; a damaged row stays one."""
        row = self._db.execute(
            "SELECT crc, model, content, lines, vector FROM vectors WHERE content = ? AND model = ?", (content, model)
        ).fetchone()
        if row[3] is None and is_intact(row):
            self._db.execute(
                "UPDATE vectors SET lines = ?, crc = ? WHERE content = ? AND model = ?",
                (lines, row_crc(model, content, lines, row[4]), content, model),
            )

    def add_facts(self, content: int, camera: str | None, colours: bytes) -> None:
        """See ``FactsStore``."""
        values = (content, camera, colours)
        sql = "INSERT INTO facts (content, camera, colours, crc) VALUES (?, ?, ?, ?) ON CONFLICT (content) DO NOTHING"
        self._db.execute(sql, (*values, row_crc(*values)))

    def set_file(self, path: bytes, size: int, mtime_ns: int, content: int | None, failure: str | None) -> None:
        values = (path, size, mtime_ns, content, failure, None)
        self._db.execute(
            "INSERT INTO files (path, size, mtime_ns, content, failure, device, crc) VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (path) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns, "
            "content = excluded.content, failure = excluded.failure, device = excluded.device, crc = excluded.crc",
            (*values, row_crc(*values)),
        )

    def set_devices(self, devices: Mapping[bytes, int]) -> None:
        """See ``Store``."""
        for path, device in devices.items():
            row = self._db.execute(
                "SELECT crc, path, size, mtime_ns, content, failure, device FROM files WHERE path = ?", (path,)
            ).fetchone()
            if row is not None and is_intact(row):  # a damaged row stays one
                crc = row_crc(*row[1:-1], device)
                self._db.execute("UPDATE files SET device = ?, crc = ? WHERE path = ?", (device, crc, path))

    def remove_files(self, paths: Iterable[bytes]) -> None:
        self._db.executemany("DELETE FROM files WHERE path = ?", ((path,) for path in paths))

    def remove_under(self, folder: bytes) -> int:
        return self._db.execute(
            "DELETE FROM files WHERE path = ? OR (path >= ? AND path < ?)", (folder, *below(folder))
        ).rowcount

    def drop_damaged(self, damaged: Mapping[str, Iterable[int]]) -> None:
        """Delete damaged rows (table -> rowids) and all rows that refer to them."""
        with self.transaction():
            self._db.execute("PRAGMA defer_foreign_keys = ON")
            for table, rows in damaged.items():
                self._db.executemany(f"DELETE FROM {table} WHERE rowid = ?", ((row,) for row in rows))  # noqa: S608
            repair_references(self._db)

    def drop_orphans(self) -> None:
        """Remove contents without a file, and their vectors."""
        sql = "DELETE FROM vectors WHERE content IN (SELECT row FROM contents WHERE copies = 0)"
        self._removed_vectors += self._db.execute(sql).rowcount
        self._db.execute("DELETE FROM facts WHERE content IN (SELECT row FROM contents WHERE copies = 0)")
        self._db.execute("DELETE FROM contents WHERE copies = 0")


def repair_references(db: sqlite3.Connection) -> None:
    """After rows were lost: delete rows that refer to them, count copies again and start a new history.

    Call it inside a transaction.
    """
    db.execute("DELETE FROM vectors WHERE content NOT IN (SELECT row FROM contents)")
    db.execute("DELETE FROM vectors WHERE model NOT IN (SELECT row FROM models)")
    db.execute("DELETE FROM facts WHERE content NOT IN (SELECT row FROM contents)")
    db.execute("DELETE FROM files WHERE content IS NOT NULL AND content NOT IN (SELECT row FROM contents)")
    db.execute("DELETE FROM collection_photos WHERE collection NOT IN (SELECT row FROM collections)")
    db.execute("UPDATE contents SET copies = (SELECT count(*) FROM files WHERE content = contents.row)")
    generation, epoch = db.execute(
        "SELECT coalesce(max(generation), 0), coalesce(max(epoch), 0) FROM commits"
    ).fetchone()
    commit = (generation + 1, os.urandom(8), epoch + 1)
    db.execute("DELETE FROM commits")  # an index of another history is built again
    db.execute("INSERT INTO commits VALUES (?, ?, ?, ?)", (*commit, row_crc(*commit)))


def _crc(model_set: ModelSet) -> int:
    return row_crc(*astuple(model_set))


def register(catalogue: Writer, model: Model, source: str) -> ModelSet:
    """The set of vectors of ``model``, a new one if necessary; ``source``: the name or path that loads it again."""
    for model_set in catalogue.models():
        if model_set.identity == model.identity:
            check_size(model_set, model, catalogue.folder)
            return model_set
    if Path(source).exists():
        source = os.fsdecode(absolute(source))  # the next command may run in another folder
    with catalogue.batch():
        return catalogue.add_model(model.identity, model.name, source, model.size)
