"""What a gallery keeps about files, contents and models, in the same form for every store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Facts:
    """A content, whichever files it is in: its hash, its size in px and its stored ``vector`` (size,).

    ``lines``: its outlines as the model gives them (see ``model.LinesModel``); None if it has none. ``camera``: its
    name. ``colours``: see ``sketchseek.colours``; None if no run has looked for them and for the camera.
    """

    digest: bytes
    width: int
    height: int
    taken: str | None
    vector: NDArray[np.float16]
    lines: bytes | None = None
    camera: str | None = None
    colours: bytes | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as it is copied from one store to another. It has either ``facts`` or a ``failure``.

    ``device``: see ``KnownFile``.
    """

    path: bytes
    size: int
    mtime_ns: int
    facts: Facts | None
    failure: str | None
    device: int | None = None


@dataclass(frozen=True, slots=True)
class ModelSet:
    """A set of vectors and the model that made it; ``load_search_model(source)`` loads that model."""

    row: int
    identity: str
    name: str
    source: str
    size: int
    used: int  # the set with the greatest number is searched by default; 0: not complete yet


class KnownFile(NamedTuple):
    """A file that the store knows; ``encoded`` is 1 if it has a vector of the model in question.

    ``device``: the device (``st_dev``) it was last seen on; None if that is unknown, or the store does not keep it.
    """

    size: int
    mtime_ns: int
    content: int | None
    failure: str | None
    encoded: int
    device: int | None = None


@dataclass(frozen=True, slots=True)
class Photo:
    """A content with its files: ``paths`` in byte order. ``colours``: as in ``Facts``."""

    row: int
    id: str
    width: int
    height: int
    taken: str | None
    paths: tuple[bytes, ...]
    colours: bytes | None = None


def content_id(digest: bytes) -> str:
    """The public id of a content: a prefix of its hash, so it is the same in every gallery and after every move."""
    return digest[:8].hex()


def stacked(lines: Sequence[bytes | None]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Outlines of n photos -> (n, bytes of a photo), and (n,) whether a photo has some; rows of the others are 0.

    All have the length of the first; one of another length, which its model cannot have made, counts as none.
    """
    length = len(next((one for one in lines if one is not None), b""))
    there = [one is not None and len(one) == length for one in lines]
    joined = b"".join(one if has and one is not None else bytes(length) for one, has in zip(lines, there, strict=True))
    return np.frombuffer(joined, np.uint8).reshape(len(lines), length), np.array(there, bool)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a gallery: one sentence that says how to fix it."""

    what: str
