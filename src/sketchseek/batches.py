"""A sequence in pieces."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

One = TypeVar("One")


def batches(items: Sequence[One], size: int) -> Iterator[tuple[int, Sequence[One]]]:
    """(where it starts, ``size`` items or fewer at the end), one after another."""
    for start in range(0, len(items), size):
        yield start, items[start : start + size]
