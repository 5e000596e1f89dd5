"""Vectors kept between runs, by model, kind and file content. The cache can be deleted: that costs only time."""

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from sketchseek.errors import SketchseekError

Kind = Literal["sketch", "photo", "lines"]  # lines: of photos, the bytes as numbers
Result = TypeVar("Result")
Stamp = tuple[int, int]  # size in bytes, time of the last change in ns


FILE_NAME = "vectors-1.sqlite3"  # the number is that of the format: another format gets another file
_WAIT_SECONDS = 60.0
_VALUES_PER_QUERY = 500  # below every limit of SQLite
_TABLES = """
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, size INTEGER, changed INTEGER, digest BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vectors (
  model TEXT, kind TEXT, digest BLOB, vector BLOB, checksum INTEGER, PRIMARY KEY (model, kind, digest)
);
"""


class VectorCache:
    """Digests of files and vectors of digests, in one SQLite file that several runs may use at a time.

    ``folder`` None keeps everything in a temporary file of this run. A damaged file is deleted and created again;
    ``note`` is called with a sentence that says so.
    """

    def __init__(self, folder: Path | None, note: Callable[[str], None]) -> None:
        self.file = None if folder is None else folder / FILE_NAME
        self._note = note
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        self._database = self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def digests(self, stamps: Mapping[str, Stamp]) -> dict[str, bytes]:
        """Known digests of those files (path -> stamp) that have not changed: path -> SHA-256."""
        query = "SELECT path, size, changed, digest FROM files WHERE path IN ({})"
        return {
            path: digest
            for path, size, changed, digest in self._select(query, (), list(stamps))
            if stamps[path] == (size, changed)
        }

    def remember_digests(self, found: Iterable[tuple[str, Stamp, bytes]]) -> None:
        """Keep the SHA-256 of files: (path, stamp, digest)."""
        rows = [(path, *stamp, digest) for path, stamp, digest in found]
        self._write("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", rows)

    def vectors(self, model: str, kind: Kind, digests: Sequence[bytes], size: int) -> dict[bytes, NDArray[np.float32]]:
        """The kept vectors (size,) of these digests; a damaged row counts as missing."""
        query = "SELECT digest, vector, checksum FROM vectors WHERE model = ? AND kind = ? AND digest IN ({})"
        return {
            digest: np.frombuffer(vector, "<f4")
            for digest, vector, checksum in self._select(query, (model, kind), digests)
            if len(vector) == 4 * size and zlib.crc32(vector) == checksum
        }

    def remember_vectors(self, model: str, kind: Kind, digests: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Keep the vectors (n, size) of n digests."""
        blobs = [row.astype("<f4").tobytes() for row in vectors]
        rows = [(model, kind, digest, blob, zlib.crc32(blob)) for digest, blob in zip(digests, blobs, strict=True)]
        self._write("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?, ?)", rows)

    def _select(self, query: str, fixed: tuple[str, ...], values: Sequence[str | bytes]) -> list[tuple[Any, ...]]:
        """All rows of a query with ``IN ({})`` over any number of values."""

        def select() -> list[tuple[Any, ...]]:
            rows = []
            for start in range(0, len(values), _VALUES_PER_QUERY):
                part = values[start : start + _VALUES_PER_QUERY]
                marks = ",".join("?" * len(part))
                rows += self._database.execute(query.format(marks), (*fixed, *part)).fetchall()
            return rows

        return self._with_repair(select)

    def _write(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        def write() -> None:
            with self._database:
                self._database.executemany(statement, rows)

        self._with_repair(write)

    def _with_repair(self, action: Callable[[], Result]) -> Result:
        """The result of ``action``; if the file is damaged, of another try on a new file."""
        try:
            return action()
        except sqlite3.DatabaseError as error:
            self._database.close()
            self._delete_damaged(error)
        self._database = self._connect()
        return action()

    def _connect(self) -> sqlite3.Connection:
        """An open database with its tables; "" is SQLite's name for a private temporary file."""
        database = None
        try:
            database = sqlite3.connect(self.file or "", timeout=_WAIT_SECONDS)
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute("PRAGMA journal_mode = WAL")  # readers and a writer do not wait for each other
            database.executescript(_TABLES)
        except sqlite3.DatabaseError as error:
            if database is not None:
                database.close()
            self._delete_damaged(error)
            return self._connect()
        return database

    def _delete_damaged(self, error: sqlite3.DatabaseError) -> None:
        """Delete a damaged file and its journals: SQLite would apply a journal that is left to the next file."""
        if self.file is None or not _is_damage(error):
            raise self._unusable(str(error)) from error
        self._note(f"the cache {self.file} was damaged; it is deleted and created again")
        for ending in ("", "-wal", "-shm"):
            try:
                Path(f"{self.file}{ending}").unlink(missing_ok=True)
            except OSError as failure:
                raise self._unusable(failure.strerror or str(failure)) from failure

    def _unusable(self, reason: str) -> SketchseekError:
        return SketchseekError(
            f"the cache {self.file or 'in the temporary folder'} cannot be used ({reason}): name another folder with"
            " --cache, or use --no-cache"
        )


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte of an extended code
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
