"""A checksum for every row, and what it covers."""

import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sketchseek.gallery.embedded.sentences import damaged

# Parents before children. A row's number is covered where other rows refer to it; contents.copies is counted anew.
COVERED: Mapping[str, tuple[str, ...]] = {
    "commits": ("generation", "stamp", "epoch"),
    "folders": ("path", "device"),
    "models": ("row", "identity", "name", "source", "size", "used"),
    "contents": ("row", "hash", "width", "height", "taken"),
    "files": ("path", "size", "mtime_ns", "content", "failure"),
    "vectors": ("model", "content", "vector"),
}


def row_crc(*values: object) -> int:
    """Over what a row holds, kinds of values included; a vector, which comes last, as the bytes it is."""
    last = values[-1]
    if isinstance(last, bytes):
        return zlib.crc32(last, zlib.crc32(repr(values[:-1]).encode()))
    return zlib.crc32(repr(values).encode())


def sound(row: tuple[Any, ...]) -> bool:
    """Whether a row, fetched as (crc, values it covers), is as it was written."""
    return bool(row_crc(*row[1:]) == row[0])


def checked(row: tuple[Any, ...], folder: Path) -> tuple[Any, ...]:
    """The values of a row fetched as (crc, values): what cannot be done without."""
    if not sound(row):
        raise damaged(folder, "a row has changed since it was written")
    return row[1:]


def damaged_rows(db: sqlite3.Connection, table: str) -> Iterator[int]:
    """Rowids of all rows that have changed since they were written."""
    rows = db.execute(f"SELECT rowid, crc, {','.join(COVERED[table])} FROM {table} NOT INDEXED")  # noqa: S608
    return (row[0] for row in rows if not sound(row[1:]))
