"""The formats of a gallery's database that can be read, and the step from each to the next.

A gallery of an earlier format is migrated. The next format is one more entry: the tables and columns of today's, kept
as they are now, and how its rows become rows of the new one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sketchseek.gallery.embedded.rows import COVERED
from sketchseek.gallery.embedded.schema import COLLECTIONS, FACTS, FORMAT, SCHEMA, statements

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Format:
    """One format. ``upgrade``: (table, the columns its checksum covers) -> the same row in the next format."""

    schema: str
    covered: Mapping[str, tuple[str, ...]]
    upgrade: Callable[[str, Row], Row]


_NEW_IN_5 = ("collections", "collection_photos", "saved_searches")


def _without(schema: str, number: int, *lines: str) -> str:
    """``schema`` without these lines, as that of format ``number``."""
    for line in lines:
        schema = schema.replace(f"{line}\n", "")
    return schema.replace(f"user_version = {number + 1}", f"user_version = {number}")


def _as_it_is(_: str, row: Row) -> Row:
    return row


def _add_lines(table: str, row: Row) -> Row:
    """3 to 4: a vector has the outlines of its photo beside it; None until they are indexed."""
    return (*row[:2], None, row[2]) if table == "vectors" else row


def _add_device(table: str, row: Row) -> Row:
    """2 to 3: a file remembers its device; None is unknown."""
    return (*row, None) if table == "files" else row


_SCHEMA_5 = _without(SCHEMA.replace(FACTS, ""), 5)
_COVERED_5 = {table: columns for table, columns in COVERED.items() if table != "facts"}
_SCHEMA_4 = _without(_SCHEMA_5.replace(COLLECTIONS, ""), 4)
_COVERED_4 = {table: columns for table, columns in _COVERED_5.items() if table not in _NEW_IN_5}
_INDEX = "CREATE INDEX vectors_without_lines ON vectors (model, content) WHERE lines IS NULL;"
_SCHEMA_3 = _without(_SCHEMA_4, 3, "  lines BLOB,", _INDEX)
_COVERED_3 = {**_COVERED_4, "vectors": ("model", "content", "vector")}

FORMATS: Mapping[int, Format] = {
    2: Format(
        _without(_SCHEMA_3, 2, "  device INTEGER,"),
        {**_COVERED_3, "files": ("path", "size", "mtime_ns", "content", "failure")},
        _add_device,
    ),
    3: Format(_SCHEMA_3, _COVERED_3, _add_lines),
    4: Format(_SCHEMA_4, _COVERED_4, _as_it_is),  # 5 adds tables
    5: Format(_SCHEMA_5, _COVERED_5, _as_it_is),  # 6 adds a table
    FORMAT: Format(SCHEMA, COVERED, _as_it_is),
}


def format_of(tables: list[tuple[str, str | None]]) -> int | None:
    """The format whose (name, definition) of all tables, indexes and triggers these are."""
    return next((number for number, one in FORMATS.items() if tables == statements(one.schema)), None)


def upgraded(number: int, table: str, row: Row) -> Row:
    """A row of format ``number`` in today's format."""
    for step in range(number, FORMAT):
        row = FORMATS[step].upgrade(table, row)
    return row
