"""Find the damage in a gallery, and repair it by saving what can be read."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sketchseek.gallery.embedded.catalogue import DATABASE, Catalogue, connect
from sketchseek.gallery.embedded.rows import COVERED, is_intact
from sketchseek.gallery.embedded.schema import APPLICATION, SCHEMA
from sketchseek.gallery.embedded.sqlite_errors import as_gallery_errors
from sketchseek.gallery.embedded.writer import Writer, repair_references
from sketchseek.gallery.errors import GalleryDamagedError, GalleryError
from sketchseek.gallery.records import Problem
from sketchseek.wording import shown

PAGE = 4096  # bytes, SQLite's default


def problems(catalogue: Catalogue) -> Iterator[Problem]:
    """The problems of the database, its rows and the index files."""
    from sketchseek.gallery.embedded.index_files import load, paths

    broken = catalogue.integrity()
    yield from (
        Problem(f"the database says: {shown(line)}; `sketchseek gallery rebuild` keeps what can be read.")
        for line in broken
    )
    if broken:
        return
    for table in COVERED:
        if damaged := len(catalogue.damaged(table)):
            what = f"{damaged:,} rows of {table} are damaged"
            yield Problem(f"{what}: run `sketchseek gallery rebuild`, then `sketchseek index`.")
    for model in catalogue.models():
        if paths(catalogue.folder, model)[1].exists():
            index = load(catalogue, model)
            if index is None or len(index) != sum(len(rows) for rows, _ in catalogue.vectors_after(model, 0)):
                yield Problem(
                    f"the index file of {model.name} does not fit the database; the next search or index "
                    "builds it again."
                )


def repair(folder: Path) -> list[Problem]:
    """Repair the database of a gallery; the caller holds the write lock and has no connection open.

    A database that cannot be read is copied row by row into a new one; the old one is kept as ``.damaged``.
    The next indexing reads the photos again that were lost.
    """
    found = [] if _readable(folder) else [_replace(folder)]
    with as_gallery_errors(folder), closing(Writer(folder)) as catalogue:
        damaged = {table: rows for table in COVERED if (rows := catalogue.damaged(table))}
        if damaged:
            catalogue.drop_damaged(damaged)
        return found + [
            Problem(
                f"{len(rows):,} damaged rows of {table} were dropped; the next `sketchseek index` makes them again."
            )
            for table, rows in damaged.items()
        ]


def _readable(folder: Path) -> bool:
    try:
        with as_gallery_errors(folder), closing(Writer(folder)) as catalogue:
            return not catalogue.integrity()
    except GalleryDamagedError:
        return False


def _replace(folder: Path) -> Problem:
    old, new, copy = (folder / (DATABASE + suffix) for suffix in ("", ".new", ".copy"))
    with as_gallery_errors(folder):
        try:
            new.unlink(missing_ok=True)
            _salvage(_with_whole_first_page(old, copy), new)
        finally:
            copy.unlink(missing_ok=True)
        damaged = old.with_name(old.name + ".damaged")
        for suffix in ("-wal", "-shm"):
            old.with_name(old.name + suffix).unlink(missing_ok=True)
        old.replace(damaged)
        new.replace(old)
    return Problem(
        "the database was damaged: what could be read was kept, and the next `sketchseek index` reads the other "
        f"photos again; {shown(damaged)} is the old database, which you can delete."
    )


def _with_whole_first_page(old: Path, copy: Path) -> Path:
    """``old``; if its header or list of tables is damaged, ``copy``: the same with the first page of a new database.

    The tables of all galleries begin at the same pages, because the same statements make them.
    """
    try:
        with closing(Catalogue(old.parent)):
            return old
    except GalleryDamagedError:
        pass
    copy.unlink(missing_ok=True)
    with closing(sqlite3.connect(copy, isolation_level=None)) as fresh:
        fresh.executescript(SCHEMA)
    first = bytearray(copy.read_bytes()[:PAGE])
    with old.open("rb") as stream:
        if stream.read(PAGE)[68:72] != APPLICATION.to_bytes(4, "big"):
            raise GalleryError(
                f"nothing can be read of the database {shown(old)}; delete the folder {shown(old.parent)} and index "
                "again: your photos were never touched."
            )
    shutil.copyfile(old, copy)
    first[28:32] = (copy.stat().st_size // PAGE).to_bytes(4, "big")  # the number of pages
    with copy.open("r+b") as stream:
        stream.write(first)
    return copy


def _salvage(old: Path, new: Path) -> None:
    """Copy every row that can be read and is intact."""
    with closing(connect(old.absolute().as_uri())) as source, closing(connect(new.absolute().as_uri())) as target:
        source.execute("PRAGMA writable_schema = ON")  # read tables even if one of their indexes is broken
        target.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN;" + SCHEMA)
        for table, columns in COVERED.items():
            names = (*columns, "crc")
            marks = ",".join("?" * len(names))
            sql = f"INSERT OR IGNORE INTO {table} ({','.join(names)}) VALUES ({marks})"  # noqa: S608
            for crc, *values in _rows(source, table):
                target.execute(sql, (*values, crc))
        repair_references(target)
        target.execute("COMMIT")


def _rows(source: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    """(crc, values it covers) of all intact rows; a range that cannot be read is halved down to the broken row."""
    sql = f"SELECT crc, {','.join(COVERED[table])} FROM {table} NOT INDEXED WHERE rowid BETWEEN ? AND ?"  # noqa: S608
    spans = [(1, _last(source, table))]
    while spans:
        low, high = spans.pop()
        try:
            fetched = source.execute(sql, (low, high)).fetchall() if high - low < 4096 else None
        except sqlite3.DatabaseError:
            fetched = [] if low == high else None
        if fetched is None:
            middle = (low + high) // 2
            spans += [(middle + 1, high), (low, middle)]
        else:
            yield from filter(is_intact, fetched)


def _last(source: sqlite3.Connection, table: str) -> int:
    """The greatest rowid; if its page is broken, a number that is certainly greater."""
    size = Path(source.execute("PRAGMA database_list").fetchone()[2]).stat().st_size
    beyond = max(1, size // 32)  # no row takes less
    try:
        last = int(source.execute(f"SELECT coalesce(max(rowid), 1) FROM {table} NOT INDEXED").fetchone()[0])  # noqa: S608
        return last if 0 < last < beyond else beyond
    except sqlite3.DatabaseError:
        return beyond
