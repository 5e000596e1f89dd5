"""A file with all that a gallery knows of it: what is carried from one store to another."""

from dataclasses import dataclass

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
