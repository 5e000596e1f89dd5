"""A checksum for every row, and the columns it covers."""

import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from sketchseek.gallery.embedded.sqlite_errors import damaged

# Parents before children. A row's number is covered if other rows refer to it; contents.copies can be counted again.
COVERED: Mapping[str, tuple[str, ...]] = {
    "commits": ("generation", "stamp", "epoch"),
    "folders": ("path", "device"),
    "models": ("row", "identity", "name", "source", "size", "used"),
    "contents": ("row", "hash", "width", "height", "taken"),
    "files": ("path", "size", "mtime_ns", "content", "failure", "device"),
    "vectors": ("model", "content", "lines", "vector"),
    "collections": ("row", "name", "made"),
    "collection_photos": ("row", "collection", "hash"),
    "saved_searches": ("row", "name", "query", "made"),
    "facts": ("content", "camera", "colours"),
}


def row_crc(*values: object) -> int:
    """The checksum of a row's values and their types; bytes that come last, such as a vector, are covered as they are.

    ``repr`` of long bytes is slow.
    """
    plain = len(values)
    while plain and isinstance(values[plain - 1], bytes):
        plain -= 1
    crc = zlib.crc32(repr(values[:plain]).encode())
    for data in values[plain:]:
        crc = zlib.crc32(cast(bytes, data), crc)
    return crc


def is_intact(row: tuple[Any, ...]) -> bool:
    """Whether a row, fetched as (crc, values it covers), has not changed since it was written."""
    return bool(row_crc(*row[1:]) == row[0])


def checked(row: tuple[Any, ...], folder: Path) -> tuple[Any, ...]:
    """The values of a row, fetched as (crc, values); an error if it is damaged."""
    if not is_intact(row):
        raise damaged(folder, "a row has changed since it was written")
    return row[1:]


def damaged_rows(db: sqlite3.Connection, table: str) -> Iterator[int]:
    """Rowids of all rows that have changed since they were written."""
    rows = db.execute(f"SELECT rowid, crc, {','.join(COVERED[table])} FROM {table} NOT INDEXED")  # noqa: S608
    return (row[0] for row in rows if not is_intact(row[1:]))
