"""The formats of a gallery's database that can be read, and the step from each to the next.

A gallery of an earlier format is migrated. The next format is one more entry: the tables and columns of today's, kept
as they are now, and how its rows become rows of the new one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sketchseek.gallery.embedded.rows import COVERED
from sketchseek.gallery.embedded.schema import FORMAT, SCHEMA, statements

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Format:
    """One format. ``upgrade``: (table, the columns its checksum covers) -> the same row in the next format."""

    schema: str
    covered: Mapping[str, tuple[str, ...]]
    upgrade: Callable[[str, Row], Row]


def _add_device(table: str, row: Row) -> Row:
    """2 to 3: a file remembers its device; None is unknown."""
    return (*row, None) if table == "files" else row


FORMATS: Mapping[int, Format] = {
    2: Format(
        SCHEMA.replace(f"user_version = {FORMAT}", "user_version = 2").replace("  device INTEGER,\n", ""),
        {**COVERED, "files": ("path", "size", "mtime_ns", "content", "failure")},
        _add_device,
    ),
    FORMAT: Format(SCHEMA, COVERED, lambda _, row: row),
}


def format_of(tables: list[tuple[str, str | None]]) -> int | None:
    """The format whose (name, definition) of all tables, indexes and triggers these are."""
    return next((number for number, one in FORMATS.items() if tables == statements(one.schema)), None)


def upgraded(number: int, table: str, row: Row) -> Row:
    """A row of format ``number`` in today's format."""
    for step in range(number, FORMAT):
        row = FORMATS[step].upgrade(table, row)
    return row
