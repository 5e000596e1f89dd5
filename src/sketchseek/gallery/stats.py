"""The numbers of a gallery."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SetStats:
    """One set of vectors: its model, and how many photos it covers. ``current``: it is searched by default."""

    name: str
    identity: str
    size: int
    vectors: int
    current: bool


@dataclass(frozen=True, slots=True)
class Stats:
    """``photos`` are distinct contents; ``files`` = photos + duplicates + failed.

    ``bytes``: size on disk; None on a server. ``generation``: number of the last batch; 0 on a server.
    """

    path: Path | str
    photos: int
    files: int
    duplicates: int
    failed: int
    folders: list[Path]
    models: list[SetStats]
    generation: int
    bytes: int | None
