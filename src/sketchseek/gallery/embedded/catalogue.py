"""The data of a gallery: an SQLite database of folders, files, their contents and the contents' vectors.

A *file* is a path; a *content* is its bytes, by hash; a *vector* belongs to a content and a model. So a file that is
moved or copied is not encoded again, and a second model makes a second set of vectors beside the first.
Paths are absolute and kept as the bytes that the system uses, because a name may not be text or may have line ends.
Each committed batch adds a row to ``commits``: its number shows a reader that something is new, its random stamp
shows whether a derived index belongs to this history, and its epoch counts the batches that removed vectors.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.gallery.embedded.formats import FORMATS, format_of
from sketchseek.gallery.embedded.replacement import DATABASE
from sketchseek.gallery.embedded.rows import checked, damaged_rows, is_intact
from sketchseek.gallery.embedded.schema import APPLICATION, FORMAT
from sketchseek.gallery.embedded.sqlite_errors import as_gallery_errors, busy, damaged
from sketchseek.gallery.errors import GalleryDamagedError, GalleryError, GalleryOutdatedError, NoGalleryError
from sketchseek.gallery.filters import Filters, dates, file_kind, file_name
from sketchseek.gallery.paths import absolute, below
from sketchseek.gallery.records import Entry, Facts, KnownFile, ModelSet, Photo, content_id
from sketchseek.wording import shown

CHUNK = 8192  # rows fetched at once: 8 MB of vectors of 512
_VECTOR = "row, crc, model, content, lines, vector"


@dataclass(frozen=True, slots=True)
class Commit:
    """The newest committed batch."""

    generation: int
    stamp: bytes
    epoch: int


def connect(uri: str) -> sqlite3.Connection:
    """A connection without implicit transactions, which several threads may use in turn; it waits 30 s for locks."""
    db = sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None, check_same_thread=False)
    db.create_function("file_name", 1, lambda path: _bytes(file_name(path)), deterministic=True)
    db.create_function("file_kind", 1, file_kind, deterministic=True)
    db.text_factory = lambda text: text.decode("utf-8", "surrogateescape")  # checksums find damaged text
    return db


def tests_of(filters: Filters, *, of_file: bool = False) -> tuple[str, tuple[bytes | str, ...]]:
    """SQL to append to a condition on contents c, and its values.

    ``of_file``: the condition is also on files f, and that file has to pass; otherwise any file of the content.
    """
    of_content, of_files = list[tuple[str, tuple[bytes | str, ...]]](), list[tuple[str, tuple[bytes | str, ...]]]()
    first, last = dates(filters.taken)
    if first is not None:
        of_content.append(("c.taken >= ?", (first,)))
    if last is not None:
        of_content.append(("c.taken < ?", (last,)))
    if filters.camera is not None:
        taken_by = "EXISTS (SELECT 1 FROM facts a WHERE a.content = c.row AND a.camera = ?)"
        of_content.append((taken_by, (filters.camera.encode(errors="replace").decode(),)))
    if filters.under is not None:
        of_files.append(("f.path >= ? AND f.path < ?", below(absolute(filters.under))))
    if filters.name is not None:
        of_files.append(("instr(file_name(f.path), ?)", (_bytes(filters.name.casefold()),)))
    if filters.kind is not None:
        of_files.append(("file_kind(f.path) = ?", (filters.kind,)))
    if of_files and not of_file:
        tests = " AND ".join(test for test, _ in of_files)
        values = tuple(value for _, some in of_files for value in some)
        of_files = [(f"EXISTS (SELECT 1 FROM files f WHERE f.content = c.row AND {tests})", values)]  # noqa: S608
    every = of_content + of_files
    return "".join(f" AND {test}" for test, _ in every), tuple(value for _, some in every for value in some)


def _bytes(text: str) -> bytes:
    """A text for SQLite, which takes no text with the bytes of a name that is none."""
    return text.encode(errors="surrogatepass")


class Catalogue:
    """A connection to the database for reading."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / DATABASE
        with as_gallery_errors(folder):
            self._immutable = False
            self._seen = self._signature()
            self._db = self._connect()
            try:
                self._check()
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        self._db.close()

    def _connect(self) -> sqlite3.Connection:
        if not self.path.exists():
            raise self._missing()
        uri = self.path.absolute().as_uri()
        try:
            db = connect(f"{uri}?mode=ro")
            db.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.OperationalError:
            # Read-only media: WAL requires a file beside the database, unless the database is opened as immutable.
            wal = self.path.with_name(DATABASE + "-wal")
            if os.access(self.folder, os.W_OK) or (wal.exists() and wal.stat().st_size):
                raise
            db = connect(f"{uri}?immutable=1")
            self._immutable = True
        return db

    def is_outdated(self) -> bool:
        """Whether another database has taken the place of this one, or an immutable one has changed: open it again."""
        now = self._signature()
        return now != self._seen if self._immutable else now[:1] != self._seen[:1]

    def _signature(self) -> tuple[object, ...]:
        """(which file the database is, size and time of it and of the log beside it)."""
        found: list[object] = []
        for path in (self.path, self.path.with_name(DATABASE + "-wal")):
            try:
                status = path.stat()
            except OSError:
                found += [None, None]
            else:
                found += [(status.st_dev, status.st_ino), (status.st_size, status.st_mtime_ns)]
        return tuple(found)

    def _missing(self) -> NoGalleryError:
        return NoGalleryError(
            f"there is no gallery in {shown(self.folder)}; make one with `sketchseek index FOLDER`, or name another "
            "one with --gallery."
        )

    def _check(self) -> None:
        tables = self._db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
        if not tables:
            if self._one("PRAGMA page_count")[0] > 1:  # a new database has one page until its tables are committed
                raise damaged(self.folder, "it has lost its list of tables")
            raise self._missing()
        application, version = self._one("PRAGMA application_id")[0], self._one("PRAGMA user_version")[0]
        made_for = format_of(tables)
        if application != APPLICATION and made_for is None:
            raise GalleryError(f"{shown(self.path)} is not a sketchseek gallery; name another one with --gallery.")
        if application == APPLICATION and (version > FORMAT or (version not in FORMATS and made_for is None)):
            made = "newer sketchseek" if version > FORMAT else "sketchseek that was never released"
            remedy = "upgrade sketchseek" if version > FORMAT else "delete that folder and index again"
            raise GalleryError(
                f"the gallery {shown(self.folder)} has format {version}, made by a {made}; this one reads format "
                f"{FORMAT}: {remedy}, or name another gallery with --gallery."
            )
        if (application, version) != (APPLICATION, made_for):
            raise damaged(self.folder, "its header or its tables have changed since they were made")
        if version != FORMAT:
            raise GalleryOutdatedError(
                f"the gallery {shown(self.folder)} has format {version}, and this sketchseek reads format {FORMAT}; "
                "run `sketchseek index` once with permission to write there."
            )

    def _one(self, sql: str, values: Sequence[object] = ()) -> tuple[int, ...]:
        return tuple(self._db.execute(sql, values).fetchone())

    def rows(self, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self._db.execute(sql, values).fetchall()

    # Reading. A search reads inside one `snapshot`, so it sees whole batches.

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads in this block see the same state, even if a writer commits meanwhile."""
        with as_gallery_errors(self.folder):
            self._db.execute("BEGIN")
            try:
                yield
            except GalleryDamagedError:
                if self._immutable and self.is_outdated():  # read without locks while another process wrote
                    raise busy(self.folder) from None
                raise
            finally:
                self._db.execute("ROLLBACK")

    def head(self) -> Commit:
        row = self._db.execute(
            "SELECT crc, generation, stamp, epoch FROM commits ORDER BY generation DESC LIMIT 1"
        ).fetchone()
        return Commit(*checked(row, self.folder)) if row else Commit(0, b"", 0)

    def stamp(self, generation: int) -> bytes | None:
        """The stamp of a commit; None if it does not belong to this history."""
        row = self._db.execute("SELECT stamp FROM commits WHERE generation = ?", (generation,)).fetchone()
        return row[0] if row else None

    def models(self) -> list[ModelSet]:
        rows = self._db.execute("SELECT crc, row, identity, name, source, size, used FROM models ORDER BY row")
        return [ModelSet(*checked(row, self.folder)) for row in rows]

    def current_model(self) -> ModelSet | None:
        """See ``Store``."""
        sets = sorted(self.models(), key=lambda model: (model.used, model.row), reverse=True)
        return next((one for one in sets if self._has_vectors(one.row)), sets[0] if sets else None)

    def _has_vectors(self, model: int) -> bool:
        return bool(self._one("SELECT EXISTS (SELECT 1 FROM vectors WHERE model = ?)", (model,))[0])

    def folders(self) -> dict[bytes, int]:
        """See ``Store``."""
        rows = self._db.execute("SELECT crc, path, device FROM folders ORDER BY path")
        return dict(checked(row, self.folder) for row in rows)

    def known(self, folder: bytes, model: int) -> dict[bytes, KnownFile]:
        """See ``Store``."""
        rows = self._db.execute(
            "SELECT f.path, f.size, f.mtime_ns, f.content, f.failure, v.row IS NOT NULL, f.device FROM files f "
            "LEFT JOIN vectors v ON v.content = f.content AND v.model = ? WHERE f.path >= ? AND f.path < ?",
            (model, *below(folder)),
        )
        return {path: KnownFile(*rest) for path, *rest in rows}

    def content(self, digest: bytes, model: int) -> tuple[int, bool] | None:
        """See ``Store``."""
        row = self._db.execute(
            "SELECT c.row, v.row IS NOT NULL FROM contents c LEFT JOIN vectors v ON v.content = c.row AND "
            "v.model = ? WHERE c.hash = ?",
            (model, digest),
        ).fetchone()
        return (row[0], bool(row[1])) if row else None

    def paths(self, content: int) -> list[bytes]:
        """See ``Store``; files with damaged rows are omitted."""
        sql = "SELECT crc, path, size, mtime_ns, content, failure, device FROM files WHERE content = ? ORDER BY path"
        return [row[1] for row in self._db.execute(sql, (content,)) if is_intact(row)]

    def failures(self, folder: bytes | None = None) -> list[tuple[bytes, str]]:
        low, high = below(folder) if folder else (b"", b"\xff")
        sql = (
            "SELECT crc, path, size, mtime_ns, content, failure, device FROM files WHERE failure IS NOT NULL AND "
            "path >= ? AND path < ? ORDER BY path"
        )
        return [(row[1], row[5]) for row in self._db.execute(sql, (low, high)) if is_intact(row)]

    def vector_rows(self, model: int) -> NDArray[np.int64]:
        """Rows (n,) of all vectors of a model, read from an index, which is much smaller than the vectors."""
        rows = self._db.execute("SELECT row FROM vectors WHERE model = ? ORDER BY row", (model,)).fetchall()
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def last_vector(self) -> int:
        """The highest row that a vector ever had, even if that one is gone."""
        (row,) = self._one("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'vectors'")
        return row

    def vectors_after(self, model: ModelSet, row: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float16]]]:
        """Chunks of (rows (n,), vectors (n, size)) after ``row``, ascending; damaged vectors are omitted."""
        cursor = self._db.execute(
            f"SELECT {_VECTOR} FROM vectors WHERE row > ? AND model = ? ORDER BY row",  # noqa: S608
            (row, model.row),
        )
        while fetched := cursor.fetchmany(CHUNK):
            yield _unpack(fetched, model.size)[:2]

    def vectors_of(
        self, model: ModelSet, rows: Iterable[int]
    ) -> tuple[NDArray[np.int64], NDArray[np.float16], list[bytes | None]]:
        """(rows (n,), vectors (n, size), outlines) of those of ``rows`` that exist and are not damaged, ascending."""
        wanted = sorted(int(row) for row in rows)
        fetched: list[tuple[Any, ...]] = []
        for start in range(0, len(wanted), 500):  # SQLite binds at most 999 values in old builds
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            sql = f"SELECT {_VECTOR} FROM vectors WHERE row IN ({marks}) ORDER BY row"  # noqa: S608
            fetched += self._db.execute(sql, part).fetchall()
        return _unpack(fetched, model.size)

    def orphans(self, model: int) -> list[int]:
        """Vectors whose content has no file at the moment; a run in progress may still find that the file was moved."""
        # CROSS JOIN makes SQLite start with the orphans, of which there are rarely any.
        sql = (
            "SELECT v.row, c.copies FROM contents c CROSS JOIN vectors v ON v.content = c.row AND v.model = ? "
            "WHERE c.copies = 0"
        )
        found = self._db.execute(sql, (model,)).fetchall()
        if any(copies for _, copies in found):
            raise damaged(self.folder, "an index does not match its table")
        return [row for row, _ in found]

    def vectors_that_pass(self, model: int, filters: Filters) -> NDArray[np.int64]:
        """Rows of the vectors of photos with a file that passes."""
        tests, values = tests_of(filters, of_file=True)
        sql = (
            "SELECT DISTINCT v.row FROM files f JOIN contents c ON c.row = f.content "  # noqa: S608 - texts of ours
            f"JOIN vectors v ON v.content = c.row AND v.model = ? WHERE true{tests}"
        )
        rows = self._db.execute(sql, (model, *values)).fetchall()
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def camera(self, vector: int) -> str | None:
        """The camera of the photo with this row of vectors; None if there is none, or its row is damaged."""
        row = self._db.execute(
            "SELECT f.crc, f.content, f.camera, f.colours FROM vectors v JOIN facts f ON f.content = v.content "
            "WHERE v.row = ?",
            (vector,),
        ).fetchone()
        return row[2] if row is not None and is_intact(row) else None

    def cameras(self) -> dict[str, int]:
        """See ``Gallery.cameras``."""
        sql = (
            "SELECT a.camera, count(*) FROM facts a JOIN contents c ON c.row = a.content AND c.copies > 0 "
            "WHERE a.camera IS NOT NULL GROUP BY a.camera ORDER BY 2 DESC, 1"
        )
        return dict(self._db.execute(sql).fetchall())

    def vector_row(self, model: int, id: str) -> int | None:
        """The vector row of a content's public id."""
        try:
            low = bytes.fromhex(id)
        except ValueError:
            return None
        if len(low) != 8:
            return None
        sql = (
            "SELECT v.row FROM contents c JOIN vectors v ON v.content = c.row AND v.model = ? WHERE c.hash >= ? "
            "AND c.hash < ?"
        )
        row = self._db.execute(sql, (model, low + bytes(24), low + b"\xff" * 24)).fetchone()
        return row[0] if row else None

    def digest(self, id: str) -> bytes | None:
        """The hash of the photo with this public id; None if there is none that has a file."""
        try:
            low = bytes.fromhex(id)
        except ValueError:
            return None
        row = self._db.execute(
            "SELECT hash FROM contents WHERE hash >= ? AND hash < ? AND copies > 0", (low, low + b"\xff" * 32)
        ).fetchone()
        return row[0] if row and content_id(row[0]) == id else None

    def photo(self, vector: int) -> Photo | None:
        """The content of a vector row with its files; None if it has no file, or one of its rows is damaged."""
        found = self._db.execute(
            "SELECT c.crc, c.row, c.hash, c.width, c.height, c.taken, c.copies, a.crc, a.content, a.camera, a.colours "
            "FROM vectors v JOIN contents c ON c.row = v.content LEFT JOIN facts a ON a.content = c.row "
            "WHERE v.row = ?",
            (vector,),
        ).fetchone()
        if found is None or not is_intact(found[:6]):
            return None
        (row, digest, width, height, taken, copies), facts = found[1:7], found[7:]
        paths = self.paths(row)
        if not paths or len(paths) != copies:
            return None
        colours = facts[3] if is_intact(facts) else None
        return Photo(vector, content_id(digest), width, height, taken, tuple(paths), colours)

    def entries_after(self, model: ModelSet, path: bytes, count: int) -> list[Entry]:
        """The next ``count`` files by path, with what a copy needs; files with a damaged row are omitted."""
        found = self._db.execute(
            "SELECT f.crc, f.path, f.size, f.mtime_ns, f.content, f.failure, f.device, c.crc, c.row, c.hash, c.width, "
            "c.height, c.taken, v.crc, v.model, v.content, v.lines, v.vector, a.crc, a.content, a.camera, a.colours "
            "FROM files f LEFT JOIN contents c ON c.row = f.content "
            "LEFT JOIN vectors v ON v.content = c.row AND v.model = ? LEFT JOIN facts a ON a.content = c.row "
            "WHERE f.path > ? ORDER BY f.path LIMIT ?",
            (model.row, path, count),
        ).fetchall()
        return [entry for row in found if (entry := _entry(row))]

    def count_under(self, folder: bytes) -> int:
        return self._one("SELECT count(*) FROM files WHERE path >= ? AND path < ?", below(folder))[0]

    def damaged(self, table: str) -> list[int]:
        """Rowids of the rows that have changed since they were written."""
        return list(damaged_rows(self._db, table))

    def counts(self) -> dict[str, int]:
        """How many files, photos (distinct contents that have a file), duplicates and failures there are."""
        files, failed = self._one("SELECT count(*), count(failure) FROM files")
        (photos,) = self._one("SELECT count(*) FROM contents WHERE copies > 0")
        return {"files": files, "photos": photos, "duplicates": files - failed - photos, "failed": failed}

    def integrity(self) -> list[str]:
        """The problems that SQLite finds in its file and its references."""
        try:
            found = [row[0] for row in self._db.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]
            broken = self._db.execute("PRAGMA foreign_key_check").fetchall()
            miscounted = self._one(
                "SELECT count(*) FROM contents c WHERE copies IS NOT (SELECT count(*) FROM files WHERE content = c.row)"
            )[0]
            misnumbered = self._one(
                "SELECT count(*) FROM sqlite_sequence WHERE typeof(seq) <> 'integer' OR seq NOT BETWEEN 0 AND 1 << 50"
            )[0]
        except sqlite3.DatabaseError as error:  # too damaged to be checked
            return [str(error)]
        found += [f"a row of {row[0]} refers to a missing row of {row[2]}" for row in broken]
        found += [f"the files of {miscounted} photos are miscounted"] if miscounted else []
        return found + (["rows are numbered wrongly"] if misnumbered else [])

    def missing(self, model: int) -> int:
        """See ``Store``."""
        sql = (
            "SELECT count(*) FROM contents c WHERE copies > 0 AND NOT EXISTS (SELECT 1 FROM vectors WHERE "
            "content = c.row AND model = ?)"
        )
        return self._one(sql, (model,))[0]

    def without_lines(self, model: int) -> set[int]:
        """See ``LinesStore``."""
        rows = self._db.execute("SELECT content FROM vectors WHERE model = ? AND lines IS NULL", (model,))
        return {row[0] for row in rows}

    def without_facts(self) -> set[int]:
        """See ``FactsStore``."""
        sql = "SELECT row FROM contents c WHERE NOT EXISTS (SELECT 1 FROM facts WHERE content = c.row)"
        return {row[0] for row in self._db.execute(sql)}

    def colours(self, vectors: Sequence[int]) -> list[bytes | None]:
        """The colours of the photos of these rows of vectors, in their order; None where there are none, or damaged."""
        found: dict[int, bytes] = {}
        for start in range(0, len(vectors), 500):  # SQLite binds at most 999 values in old builds
            part = [int(row) for row in vectors[start : start + 500]]
            sql = (
                "SELECT v.row, f.crc, f.content, f.camera, f.colours FROM vectors v JOIN facts f "  # noqa: S608
                f"ON f.content = v.content WHERE v.row IN ({','.join('?' * len(part))})"
            )
            found |= {row[0]: row[4] for row in self._db.execute(sql, part) if is_intact(row[1:])}
        return [found.get(int(row)) for row in vectors]

    def all_colours(self, model: int, size: int) -> Iterator[tuple[list[int], NDArray[np.uint8]]]:
        """Chunks of (rows of vectors of ``model``, colours (n, ``size``)) of all photos that have some, undamaged."""
        cursor = self._db.execute(
            "SELECT v.row, f.crc, f.content, f.camera, f.colours FROM facts f "
            "JOIN vectors v ON v.content = f.content AND v.model = ?",
            (model,),
        )
        while fetched := cursor.fetchmany(CHUNK):
            whole = [row for row in fetched if is_intact(row[1:]) and len(row[4]) == size]
            packed = np.frombuffer(b"".join(row[4] for row in whole), np.uint8).reshape(len(whole), size)
            yield [row[0] for row in whole], packed

    def vectors_count(self, model: int) -> int:
        return self._one("SELECT count(*) FROM vectors WHERE model = ?", (model,))[0]


def _entry(row: tuple[Any, ...]) -> Entry | None:
    file, content, vector, seen = row[:7], row[7:13], row[13:18], row[18:]
    path, size, mtime_ns, _, failure, device = file[1:]
    if not is_intact(file):
        return None
    if failure is not None:
        return Entry(path, size, mtime_ns, None, failure, device)
    if not (is_intact(content) and is_intact(vector)):
        return None
    digest, width, height, taken = content[2:]
    camera, colours = seen[2:] if is_intact(seen) else (None, None)
    facts = Facts(digest, width, height, taken, np.frombuffer(vector[4], "<f2"), vector[3], camera, colours)
    return Entry(path, size, mtime_ns, facts, None, device)


def _unpack(
    fetched: Sequence[tuple[Any, ...]], size: int
) -> tuple[NDArray[np.int64], NDArray[np.float16], list[bytes | None]]:
    """Rows with the columns of ``_VECTOR`` -> (rows (n,), vectors (n, size), outlines) of those that are intact."""
    whole = [row for row in fetched if is_intact(row[1:]) and len(row[5]) == 2 * size]
    rows = np.fromiter((row[0] for row in whole), np.int64, len(whole))
    vectors = np.frombuffer(b"".join(row[5] for row in whole), "<f2").reshape(len(whole), size)
    return rows, vectors, [row[4] for row in whole]
