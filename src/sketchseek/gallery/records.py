"""A file with all that a gallery knows of it: what is carried from one store to another."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Facts:
    """What belongs to a content, whichever file it is in. ``vector`` (size,) is as it was stored."""

    digest: bytes
    width: int
    height: int
    taken: str | None
    vector: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Entry:
    """``path`` is absolute. Either ``facts`` or a ``failure``."""

    path: bytes
    size: int
    mtime_ns: int
    facts: Facts | None
    failure: str | None


@dataclass(frozen=True, slots=True)
class ModelSet:
    """One set of vectors: which model made it, and what to pass to ``load_search_model`` to get that model back."""

    row: int
    identity: str
    name: str
    source: str
    size: int
    used: int  # the set with the greatest number answers where no model is named; 0: never whole yet


class Known(NamedTuple):
    """What the catalogue says about a file; ``encoded`` is 1 if the vector of the model asked about is there."""

    size: int
    mtime_ns: int
    content: int | None
    failure: str | None
    encoded: int


@dataclass(frozen=True, slots=True)
class Photo:
    """A content with its places: ``paths`` in byte order."""

    row: int
    id: str
    width: int
    height: int
    taken: str | None
    paths: tuple[bytes, ...]


def content_id(digest: bytes) -> str:
    """The public id of a content: a prefix of its hash, so it is the same in every gallery and after every move."""
    return digest[:8].hex()


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, in one sentence with its remedy."""

    what: str
