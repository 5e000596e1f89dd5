"""Files that could not be indexed, grouped by cause, so that a thousand of one kind are one line."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sketchseek.pictures.errors import remedy
from sketchseek.wording import shown

# What differs from file to file in reasons of the same cause: numbers, and what a decoder says in parentheses.
_DETAILS = re.compile(r"\s*\([^()]*(?:\([^()]*\)[^()]*)*\)|\d[\d,.]*")


@dataclass(frozen=True, slots=True)
class Cause:
    """Why ``count`` files could not be indexed: the ``reason`` of one of them, ``path``."""

    count: int
    path: Path
    reason: str

    def __str__(self) -> str:
        files = shown(self.path) if self.count == 1 else f"{self.count:,} files, such as {shown(self.path)}"
        todo = remedy(self.reason)
        return f"{files}: {self.reason}" + (f"; {todo}" if todo else "")


def causes(failures: Iterable[tuple[Path, str]], *, every_file: bool = False) -> list[Cause]:
    """Failures (path, reason) by cause, the most frequent first; with ``every_file``, each alone, in their order."""
    if every_file:
        return [Cause(1, *failure) for failure in failures]
    groups: dict[str, list[tuple[Path, str]]] = {}
    for path, reason in failures:
        groups.setdefault(_DETAILS.sub("", reason), []).append((path, reason))
    found = [Cause(len(group), *group[0]) for group in groups.values()]
    return sorted(found, key=lambda cause: (-cause.count, cause.path))
