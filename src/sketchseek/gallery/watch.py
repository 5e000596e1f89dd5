"""Watch folders: index them again after each change, and from time to time in any case."""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.scan import is_photo
from sketchseek.installation import extra_command

if TYPE_CHECKING:
    from sketchseek.gallery.gallery import Gallery
    from sketchseek.gallery.ingest import Report

QUIET_MS = 1600  # wait until changes pause, so that a file is not read while it is being copied
TICK_MS = 1000
EVERY_S = 300  # network drives do not report changes made on other machines


def follow(
    gallery: "Gallery",
    folders: Sequence[Path],
    stop: Event | None = None,
    every: float = EVERY_S,
    memory: int | None = None,
) -> "Iterator[Report]":
    """Reports of the runs that changed something, until ``stop`` is set; without it, forever.

    ``memory``: as for ``Gallery.add``.
    """
    for due in ticks(gallery.path, folders, stop, every):
        # A missing folder may return: its photos are kept.
        present = [folder for folder in folders if folder.is_dir()] if due else []
        report = gallery.add(present, memory=memory) if present else None
        if report and (report.added or report.updated or report.moved or report.removed):
            yield report


def ticks(
    gallery: Path | str, folders: Sequence[Path], stop: Event | None = None, every: float = EVERY_S
) -> Iterator[bool]:
    """About once a second, whether ``folders`` should be indexed now, until ``stop`` is set.

    ``gallery``: its folder or address; what changes in it does not count.
    """
    try:
        import watchfiles
    except ImportError:
        raise GalleryError(f"watching folders requires watchfiles; run: {extra_command('watch')}") from None

    def matters(change: "watchfiles.Change", path: str) -> bool:
        inside = Path(path).is_relative_to(gallery)  # the gallery may lie among the photos
        return not inside and (change != watchfiles.Change.modified or is_photo(os.fsencode(Path(path).name)))

    watched = watchfiles.watch(
        *folders,
        watch_filter=matters,
        debounce=QUIET_MS,
        step=QUIET_MS // 4,
        stop_event=stop,
        rust_timeout=TICK_MS,
        yield_on_timeout=True,
        recursive=True,
        raise_interrupt=True,
    )
    last_run: float | None = None  # None: due at the first tick, to find what changed before the watcher was ready
    for changes in watched:
        due = bool(changes) or last_run is None or time.monotonic() - last_run >= every
        yield due
        if due:
            last_run = time.monotonic()
