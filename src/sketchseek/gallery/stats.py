"""What is in a gallery, in numbers."""

import os
from dataclasses import dataclass
from pathlib import Path

from sketchseek.gallery.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class SetStats:
    """One set of vectors: its model, and how many photos it covers. ``current``: it answers where no model is named."""

    name: str
    identity: str
    size: int
    vectors: int
    current: bool


@dataclass(frozen=True, slots=True)
class Stats:
    """``photos`` are distinct contents; ``files`` = photos + duplicates + failed.

    ``bytes``: what it takes on disk; None on a server. ``generation``: number of the last batch; 0 on a server.
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


def gather(catalogue: Catalogue) -> Stats:
    """Call it inside a snapshot."""
    current = catalogue.current_model()
    models = [
        SetStats(one.name, one.identity, one.size, catalogue.vectors_count(one.row), one == current)
        for one in catalogue.models()
    ]
    return Stats(
        catalogue.folder,
        **catalogue.counts(),
        folders=[Path(os.fsdecode(path)) for path in catalogue.folders()],
        models=models,
        generation=catalogue.head().generation,
        bytes=sum(entry.stat().st_size for entry in catalogue.folder.iterdir() if entry.is_file()),
    )
