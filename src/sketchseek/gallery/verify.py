"""Is a gallery whole? And if not: save what can be read of it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sketchseek.gallery.catalogue import DATABASE, Catalogue, below
from sketchseek.gallery.errors import GalleryDamagedError, GalleryError, plain_words, shown
from sketchseek.gallery.schema import APPLICATION, FORMAT, SCHEMA
from sketchseek.gallery.writer import Writer

TABLES = ("commits", "folders", "models", "contents", "files", "vectors")  # parents before children
TYPES = {"INTEGER": int, "TEXT": str, "BLOB": bytes}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, in one sentence with its remedy."""

    what: str


def problems(catalogue: Catalogue) -> Iterator[Problem]:
    """All that is wrong with the database, its vectors and the index files; nothing if all is well."""
    from sketchseek.gallery.index_files import load, paths

    broken = catalogue.integrity()
    yield from (
        Problem(f"the database says: {line}; `sketchseek gallery rebuild` keeps what can be read.") for line in broken
    )
    if broken:
        return
    for model in catalogue.models():
        rows = sum(len(rows) for rows, _ in catalogue.vectors_after(model, 0))
        damaged = catalogue.vectors_count(model.row) - rows
        if damaged:
            yield Problem(
                f"{damaged} vectors of {model.name} are damaged: run `sketchseek gallery rebuild`, then "
                "`sketchseek index`."
            )
        if paths(catalogue.folder, model)[1].exists():
            index = load(catalogue, model)
            if index is None or len(index) != rows:
                yield Problem(
                    f"the index file of {model.name} does not fit the database; the next search or index "
                    "makes it again."
                )


def repair(folder: Path) -> list[Problem]:
    """Make the database of a gallery whole again; the caller holds the write lock and has no connection open.

    A database that cannot be read is copied row by row into a new one; the old is kept beside it as ``.damaged``.
    Files whose row or vector was lost are looked at again by the next indexing.
    """
    found = [] if _readable(folder) else [_replace(folder)]
    with plain_words(folder), closing(Writer(folder)) as catalogue:
        return found + _drop_damaged(catalogue)


def _readable(folder: Path) -> bool:
    try:
        with plain_words(folder), closing(Writer(folder)) as catalogue:
            return not catalogue.integrity()
    except GalleryDamagedError:
        return False


def _replace(folder: Path) -> Problem:
    old, new = folder / DATABASE, folder / (DATABASE + ".new")
    new.unlink(missing_ok=True)
    with plain_words(folder):
        _salvage(old, new)
        damaged = old.with_name(old.name + ".damaged")
        for suffix in ("-wal", "-shm"):
            old.with_name(old.name + suffix).unlink(missing_ok=True)
        old.replace(damaged)
        new.replace(old)
    return Problem(
        "the database was damaged: what could be read was kept, and the next `sketchseek index` looks at the rest "
        f"again; {shown(damaged)} is the old one, for you to delete."
    )


def _drop_damaged(catalogue: Writer) -> list[Problem]:
    """Vectors whose bytes changed, and files whose path did: under no known folder, and not there."""
    found = []
    folders = [below(folder)[0] for folder in catalogue.folders()]
    strays = [path for path in catalogue.files() if not path.startswith(tuple(folders)) and not os.path.lexists(path)]
    if strays:
        with catalogue.batch():
            catalogue.remove_files(strays)
            catalogue.drop_orphans()
        found.append(Problem(f"{len(strays)} files that are in none of the folders, and not there, were forgotten."))
    for model in catalogue.models():
        whole = {int(row) for rows, _ in catalogue.vectors_after(model, 0) for row in rows}
        damaged = [int(row) for row in catalogue.vector_rows(model.row) if int(row) not in whole]
        if damaged:
            with catalogue.batch():
                catalogue.drop_vectors(damaged)
            dropped = f"{len(damaged)} damaged vectors of {model.name} were dropped"
            found.append(Problem(f"{dropped}; the next `sketchseek index` makes them again."))
    return found


def _salvage(old: Path, new: Path) -> None:
    """Copy every row that can be read."""
    with (
        closing(sqlite3.connect(old, isolation_level=None)) as source,
        closing(sqlite3.connect(new, isolation_level=None)) as target,
    ):
        try:
            source.execute("PRAGMA writable_schema = ON")  # read tables even where an index of theirs is broken
            application, version = (
                source.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
            )
            if application != APPLICATION or version > FORMAT:
                raise sqlite3.DatabaseError("no readable header")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.DatabaseError as error:
            raise GalleryError(
                f"nothing can be read of the database {shown(old)} ({error}); delete the folder {shown(old.parent)} "
                "and index again: your photos were never touched."
            ) from error
        target.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN;" + SCHEMA)
        for table in TABLES:
            for names, values in _rows(source, target, table):
                marks = ",".join("?" * len(values))
                target.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", values)  # noqa: S608
        _consistent(target)
        target.execute("COMMIT")


def _rows(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """(names of columns, values) of all rows that can be read, by rowid.

    Ranges are halved until what is broken is alone.
    """
    columns = [row[1:4] for row in target.execute(f"PRAGMA table_info({table})")]
    columns = [column for column in columns if column[0] != "copies"]  # the triggers count them while files come in
    names = ",".join(name for name, _, _ in columns)
    sql = f"SELECT {names} FROM {table} NOT INDEXED WHERE rowid BETWEEN ? AND ?"  # noqa: S608
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
            continue
        for row in fetched:
            if all(
                isinstance(value, TYPES[kind]) or (value is None and not must)
                for value, (_, kind, must) in zip(row, columns, strict=True)
            ):
                yield names, row


def _last(source: sqlite3.Connection, table: str) -> int:
    """The greatest rowid, or where that page is broken a number surely beyond it."""
    try:
        return int(source.execute(f"SELECT coalesce(max(rowid), 1) FROM {table} NOT INDEXED").fetchone()[0])  # noqa: S608
    except sqlite3.DatabaseError:
        size = Path(source.execute("PRAGMA database_list").fetchone()[2]).stat().st_size
        return max(1, size // 32)  # no row takes less


def _consistent(target: sqlite3.Connection) -> None:
    """Drop what lost the row it refers to."""
    target.execute("DELETE FROM vectors WHERE content NOT IN (SELECT row FROM contents)")
    target.execute("DELETE FROM vectors WHERE model NOT IN (SELECT row FROM models)")
    target.execute("DELETE FROM files WHERE content IS NOT NULL AND content NOT IN (SELECT row FROM contents)")
    target.execute(
        "INSERT INTO commits SELECT coalesce(max(generation), 0) + 1, randomblob(8), coalesce(max(epoch), 0) + 1 "
        "FROM commits"
    )
