"""Write a gallery's intact rows into a new database in today's format: to migrate an earlier one, or to repair one."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sketchseek.gallery.embedded.catalogue import connect
from sketchseek.gallery.embedded.formats import FORMATS, Row, format_of, upgraded
from sketchseek.gallery.embedded.replacement import beside, put_in_place, remove_unfinished
from sketchseek.gallery.embedded.rows import COVERED, is_intact, row_crc
from sketchseek.gallery.embedded.schema import SCHEMA
from sketchseek.gallery.embedded.sqlite_errors import as_gallery_errors
from sketchseek.gallery.embedded.writer import repair_references
from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.records import Problem
from sketchseek.wording import shown

PAGE = 4096  # bytes, SQLite's default
CHUNK = 4096  # rows read at once
LAST_ROW = 2**50  # no table has more rows


def renew(folder: Path, *, damaged: bool = False) -> Problem | None:
    """Replace the database by a new one of its intact rows in today's format; returns a problem if it was damaged.

    The caller holds the write lock and has no connection open. An old database that is ``damaged``, or turns out to be,
    is kept as ``.damaged``. The next indexing reads the photos again that were lost.
    """
    with as_gallery_errors(folder):
        remove_unfinished(folder)
        try:
            number, old = _readable_database(folder)
            salvage = _Salvage(number)
            salvage.copy(old, beside(folder, ".new"))
            damaged = damaged or salvage.lost or old != beside(folder, "")
            put_in_place(folder, keep_old=damaged)
        finally:
            remove_unfinished(folder)
        for derived in folder.glob("index-*"):  # they belong to the old database's history
            derived.unlink(missing_ok=True)
    if not damaged:
        return None
    return Problem(
        "the database was damaged: what could be read was kept, and the next `sketchseek index` reads the other "
        f"photos again; {shown(beside(folder, '.damaged'))} is the old database, which you can delete."
    )


def _readable_database(folder: Path) -> tuple[int, Path]:
    """(format, database): if the header or list of tables is damaged, a copy with the first page of a new database.

    The tables of all galleries begin at the same pages, because the same statements make them.
    """
    old, copy = beside(folder, ""), beside(folder, ".copy")
    if (number := _stated_format(old)) is not None:
        return number, old
    intact: dict[int, int] = {}
    for number in FORMATS:
        _copy_with_first_page(old, copy, number)
        with closing(connect(copy.absolute().as_uri())) as db:
            intact[number] = sum(_has_rows(db, number, table) for table in FORMATS[number].covered)
    best = max(intact, key=lambda number: (intact[number], number))
    if not intact[best]:
        raise GalleryError(
            f"nothing can be read of the database {shown(old)}; delete the folder {shown(folder)} and index "
            "again: your photos were never touched."
        )
    _copy_with_first_page(old, copy, best)
    return best, copy


def _stated_format(path: Path) -> int | None:
    """The format of a database by its tables; None if the list of them is damaged."""
    try:
        with closing(connect(path.absolute().as_uri())) as db:
            return format_of(db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall())
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return None


def _copy_with_first_page(old: Path, copy: Path, number: int) -> None:
    for suffix in ("", "-wal", "-shm"):
        copy.with_name(copy.name + suffix).unlink(missing_ok=True)
    with closing(sqlite3.connect(copy, isolation_level=None)) as fresh:
        fresh.executescript(FORMATS[number].schema)
    first = bytearray(copy.read_bytes()[:PAGE])
    shutil.copyfile(old, copy)
    first[28:32] = (copy.stat().st_size // PAGE).to_bytes(4, "big")  # the number of pages
    with copy.open("r+b") as stream:
        stream.write(first)
    if (log := old.with_name(old.name + "-wal")).exists():
        shutil.copyfile(log, copy.with_name(copy.name + "-wal"))


def _has_rows(db: sqlite3.Connection, number: int, table: str) -> bool:
    try:
        return next(iter(_Salvage(number).rows(db, table)), None) is not None
    except sqlite3.DatabaseError:  # it is too short to have such a page
        return False


class _Salvage:
    """Reads the intact rows of a database of format ``number``. ``lost``: whether it found others."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.lost = False

    def copy(self, old: Path, new: Path) -> None:
        """Write all rows that can be read and are intact into a new database."""
        with closing(connect(old.absolute().as_uri())) as source, closing(connect(new.absolute().as_uri())) as target:
            source.execute("PRAGMA writable_schema = ON")  # read tables even if one of their indexes is broken
            # No journal: if this process is killed, the new database is deleted.
            target.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;" + SCHEMA)
            for table in FORMATS[self.number].covered:
                names = (*COVERED[table], "crc")
                marks = ",".join("?" * len(names))
                sql = f"INSERT OR IGNORE INTO {table} ({','.join(names)}) VALUES ({marks})"  # noqa: S608
                for row in self.rows(source, table):
                    values = upgraded(self.number, table, row)
                    target.execute(sql, (*values, row_crc(*values)))
            repair_references(target)
            target.execute("COMMIT")
            target.execute("PRAGMA journal_mode = WAL")

    def rows(self, source: sqlite3.Connection, table: str) -> Iterator[Row]:
        """The covered columns of all intact rows; a range that cannot be read is halved down to the broken row."""
        columns = ",".join(FORMATS[self.number].covered[table])
        part = "rowid BETWEEN ? AND ? ORDER BY rowid LIMIT ?"
        sql = f"SELECT rowid, crc, {columns} FROM {table} NOT INDEXED WHERE {part}"  # noqa: S608
        # A broken page hides how far its rows reach; after so many failed attempts nothing more is behind it.
        attempts = 20_000 + source.execute("PRAGMA page_count").fetchone()[0] * PAGE // 1024
        spans = [(1, LAST_ROW)]
        while spans:
            low, high = spans.pop()
            try:
                fetched = source.execute(sql, (low, high, CHUNK)).fetchall()
            except sqlite3.DatabaseError:
                self.lost = True
                attempts -= 1
                if low < high and attempts > 0:
                    middle = (low + high) // 2
                    spans += [(middle + 1, high), (low, middle)]
                continue
            if len(fetched) == CHUNK and fetched[-1][0] < high:
                spans.append((fetched[-1][0] + 1, high))
            for row in fetched:
                if is_intact(row[1:]):
                    yield row[2:]
                else:
                    self.lost = True
