"""Vectors kept between runs: by model, kind and content of the file. Deleting the cache loses time and nothing else."""

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from sketchseek.errors import SketchseekError

Kind = Literal["sketch", "photo"]
Answer = TypeVar("Answer")
Stamp = tuple[int, int]  # size in bytes, time of the last change in ns


FILE_NAME = "vectors-1.sqlite3"  # the number is the format's: another format is another file
_WAIT_SECONDS = 60.0
_AT_ONCE = 500  # values in one question, below every limit of SQLite
_TABLES = """
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, size INTEGER, changed INTEGER, digest BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vectors (
  model TEXT, kind TEXT, digest BLOB, vector BLOB, checksum INTEGER, PRIMARY KEY (model, kind, digest)
);
"""


class VectorCache:
    """Digests of files and vectors of digests, in one SQLite file that several runs may use at a time.

    ``folder`` None keeps everything in a temporary file of this run. A damaged file is thrown away and begun anew, and
    ``note`` is told so in one sentence.
    """

    def __init__(self, folder: Path | None, note: Callable[[str], None]) -> None:
        self.file = None if folder is None else folder / FILE_NAME
        self._note = note
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        self._base = self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def digests(self, stamps: Mapping[str, Stamp]) -> dict[str, bytes]:
        """What is known of files (path -> stamp) that have not changed since: path -> SHA-256."""
        question = "SELECT path, size, changed, digest FROM files WHERE path IN ({})"
        return {
            path: digest
            for path, size, changed, digest in self._ask(question, (), list(stamps))
            if stamps[path] == (size, changed)
        }

    def remember_digests(self, found: Iterable[tuple[str, Stamp, bytes]]) -> None:
        """Keep the SHA-256 of files: (path, stamp, digest)."""
        rows = [(path, *stamp, digest) for path, stamp, digest in found]
        self._write("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", rows)

    def vectors(self, model: str, kind: Kind, digests: Sequence[bytes], size: int) -> dict[bytes, NDArray[np.float32]]:
        """The kept vectors (size,) of these digests; a row that is not what was written counts as missing."""
        question = "SELECT digest, vector, checksum FROM vectors WHERE model = ? AND kind = ? AND digest IN ({})"
        return {
            digest: np.frombuffer(vector, "<f4")
            for digest, vector, checksum in self._ask(question, (model, kind), digests)
            if len(vector) == 4 * size and zlib.crc32(vector) == checksum
        }

    def remember_vectors(self, model: str, kind: Kind, digests: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Keep the vectors (n, size) of n digests."""
        blobs = [row.astype("<f4").tobytes() for row in vectors]
        rows = [(model, kind, digest, blob, zlib.crc32(blob)) for digest, blob in zip(digests, blobs, strict=True)]
        self._write("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?, ?)", rows)

    def _ask(self, question: str, fixed: tuple[str, ...], values: Sequence[str | bytes]) -> list[tuple[Any, ...]]:
        """All rows of a question with ``IN ({})`` over any number of values."""

        def ask() -> list[tuple[Any, ...]]:
            rows = []
            for start in range(0, len(values), _AT_ONCE):
                part = values[start : start + _AT_ONCE]
                marks = ",".join("?" * len(part))
                rows += self._base.execute(question.format(marks), (*fixed, *part)).fetchall()
            return rows

        return self._mended(ask)

    def _write(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        def write() -> None:
            with self._base:
                self._base.executemany(statement, rows)

        self._mended(write)

    def _mended(self, action: Callable[[], Answer]) -> Answer:
        """The answer of ``action``; where the file turns out to be damaged, on a new one."""
        try:
            return action()
        except sqlite3.DatabaseError as error:
            self._base.close()
            self._throw_away(error)
        self._base = self._connect()
        return action()

    def _connect(self) -> sqlite3.Connection:
        """An open base with its tables; "" is SQLite's name for a private file that vanishes with the connection."""
        base = None
        try:
            base = sqlite3.connect(self.file or "", timeout=_WAIT_SECONDS)
            base.execute("PRAGMA synchronous = NORMAL")
            base.execute("PRAGMA journal_mode = WAL")  # readers and a writer do not wait for each other
            base.executescript(_TABLES)
        except sqlite3.DatabaseError as error:
            if base is not None:
                base.close()
            self._throw_away(error)
            return self._connect()
        return base

    def _throw_away(self, error: sqlite3.DatabaseError) -> None:
        """Delete a damaged file and its journals: a journal that stays would be played into the next file."""
        if self.file is None or not _is_damage(error):
            raise self._unusable(str(error)) from error
        self._note(f"the cache {self.file} was damaged; it is thrown away and begun anew")
        for ending in ("", "-wal", "-shm"):
            try:
                Path(f"{self.file}{ending}").unlink(missing_ok=True)
            except OSError as failure:
                raise self._unusable(failure.strerror or str(failure)) from failure

    def _unusable(self, reason: str) -> SketchseekError:
        return SketchseekError(
            f"the cache {self.file or 'in the temporary folder'} cannot be used ({reason}): name another folder with"
            " --cache, or go without with --no-cache"
        )


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte of an extended code
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
