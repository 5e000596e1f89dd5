"""Follow folders: after every change, and now and then in any case, look again."""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.scan import is_photo

if TYPE_CHECKING:
    from sketchseek.gallery.gallery import Gallery
    from sketchseek.gallery.ingest import Report

QUIET_MS = 1600  # changes are gathered until nothing happens for a while: a file being copied is not read half
TICK_MS = 1000
EVERY_S = 300  # network drives tell nobody about changes made elsewhere


def follow(
    gallery: "Gallery", folders: Sequence[Path], stop: Event | None = None, every: float = EVERY_S
) -> "Iterator[Report]":
    """Reports of the runs that changed something, until ``stop`` is set; without it, for ever."""
    try:
        import watchfiles
    except ImportError:
        raise GalleryError("following changes needs watchfiles; run: pip install 'sketchseek[watch]'.") from None

    def matters(change: "watchfiles.Change", path: str) -> bool:
        inside = Path(path).is_relative_to(gallery.path)  # the gallery may lie among the photos, and changes with them
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
    looked: float | None = None  # never: what changed before the watcher was ready is found at the first tick
    for changes in watched:
        if not changes and looked is not None and time.monotonic() - looked < every:
            continue
        there = [
            folder for folder in folders if folder.is_dir()
        ]  # a folder may come back: its photos are kept until then
        report = gallery.add(there) if there else None
        looked = time.monotonic()
        if report and (report.added or report.updated or report.moved or report.removed):
            yield report
