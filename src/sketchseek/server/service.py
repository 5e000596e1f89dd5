"""What the routes share: the gallery, the model, thread pools, child processes and caches."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from sketchseek.errors import SketchseekError
from sketchseek.gallery import Gallery
from sketchseek.gallery.stats import Stats
from sketchseek.parallel import usable_cores
from sketchseek.server.folder_names import FolderNames
from sketchseek.server.metrics import Metrics
from sketchseek.server.places import Places
from sketchseek.server.processes.decoders import Decoders
from sketchseek.server.processes.indexing import RUNNING, Indexing
from sketchseek.server.protection.limits import ByteBudget, Limits
from sketchseek.server.query_encoder import QueryEncoder
from sketchseek.server.thread_pool import BoundedThreadPool
from sketchseek.server.thumbnails import Thumbnails
from sketchseek.server.watching import Watching

STATS_MAX_AGE_S = 1.0  # counting takes a while in a large gallery
MAX_KEPT = 16  # answers that list the whole gallery or a folder
Answer = TypeVar("Answer")


@dataclass
class Service:
    """``gallery`` searches with ``encoder``; ``cores`` limits how many searches and how many pictures run at once.

    ``places``: where the page may look for folders to add. ``new_model``: encodes the photos of a gallery that has none
    yet; None: the default. ``reveal``: shows a file in the file manager; None if the page may not do that.
    """

    gallery: Gallery
    encoder: QueryEncoder
    indexing: Indexing
    thumbnails: Thumbnails
    limits: Limits = field(default_factory=Limits)
    cores: int = field(default_factory=lambda: max(2, usable_cores()))
    places: Places = field(default_factory=lambda: Places([]))
    new_model: str | None = None
    reveal: Callable[[Path], None] | None = None

    def __post_init__(self) -> None:
        # Separate pools: an ordinary search never waits for uploads, for SVGs, for photos or for a drive that hangs.
        svg_threads = max(1, self.cores // 2)
        self.searches = BoundedThreadPool("search", self.cores, self.limits.searches)
        self.uploads = BoundedThreadPool("upload", self.cores, self.limits.searches)
        self.svgs = BoundedThreadPool("svg", svg_threads, self.limits.svgs)
        self.pictures = BoundedThreadPool("picture", self.cores, self.limits.pictures)
        self.reports = BoundedThreadPool("report", 2, self.limits.reports)  # which answer always
        self.records = BoundedThreadPool("record", 2, self.limits.records)  # of the database, which may be busy
        # A thread for each request, because a drive that hangs keeps its own.
        self.folders = BoundedThreadPool("folder", self.limits.folders, self.limits.folders)
        self.exports = BoundedThreadPool("export", 2, self.limits.exports)  # which last as long as a download
        self.upload_decoders = Decoders(self.cores, self.limits)
        self.svg_decoders = Decoders(svg_threads, replace(self.limits, decode_seconds=self.limits.svg_seconds))
        self.photo_decoders = Decoders(self.cores, self.limits)
        self.sending = ByteBudget(self.limits.sending_bytes)
        self.metrics = Metrics(self)
        self._lock = threading.Lock()
        self._cache: tuple[Stats, FolderNames] | None = None
        self._cached_at = 0.0
        self._kept: dict[tuple[str | None, ...], tuple[tuple[int, str], Any]] = {}
        self._cached_progress: tuple[str, int] | None = None
        self.indexing.use_model = self.use_model
        self._forgetting = threading.Lock()
        self.watching = Watching(self.gallery.path, lambda: self.stats().folders, lambda: self.index([]))

    def index(self, folders: Sequence[Path], *, retry: bool = False) -> bool:
        """Index these folders, or all of the gallery; False if that has to wait for another change of the gallery."""
        model = None if self.stats().models else self.new_model
        return self._begin(lambda: self.indexing.start(self.gallery.path, folders, model, retry=retry))

    def resume(self) -> bool:
        """Start the run again that was stopped; False if none was, or the gallery is being changed now."""
        return self._begin(self.indexing.resume)

    def forget(self, folder: Path) -> int | None:
        """Remove a folder of the gallery: how many files, None if photos are being indexed."""
        with self._forgetting:
            if self.indexing.status.state in RUNNING:
                return None
            removed = self.gallery.remove(folder)
        with self._lock:
            self._cache = None
        return removed

    def change_model(self, name: str) -> bool:
        """Index all folders with another model, then search with it; False if the gallery is being changed now."""
        return self._begin(lambda: self.indexing.start(self.gallery.path, [], name))

    def _begin(self, start: Callable[[], bool]) -> bool:
        """Begin an indexing run, unless a folder is being forgotten; none begins to be forgotten meanwhile."""
        if not self._forgetting.acquire(blocking=False):
            return False
        try:
            return start()
        finally:
            self._forgetting.release()

    def use_model(self, name: str) -> None:
        """Search with this model from now on, if its vectors are complete; searches that run end with the old one."""
        from sketchseek.engine.models import load_search_model

        model = load_search_model(name)
        if model.identity == self.encoder.identity:
            return
        encoder = QueryEncoder(model)
        gallery = Gallery.open(self.gallery.path, encoder)
        if not any(one.current and one.identity == model.identity for one in gallery.stats().models):
            gallery.close()
            raise SketchseekError(
                f"some photos could not be indexed with {name}; searches use {self.encoder.name} until they are."
            )
        gallery.search(text="photo", k=1)  # reads the index, which the next search would wait for
        old, self.gallery, self.encoder = self.gallery, gallery, encoder
        old.close()

    def kept(self, key: tuple[str | None, ...], make: Callable[[], Answer]) -> Answer:
        """What ``make`` returned for this ``key`` since the gallery last changed, or a new one."""
        generation = (self.stats().generation, self.encoder.identity)
        with self._lock:
            found = self._kept.get(key)
        if found is not None and found[0] == generation:
            return found[1]  # type: ignore[no-any-return]
        made = make()
        with self._lock:
            self._kept[key] = generation, made
            while len(self._kept) > MAX_KEPT:
                self._kept.pop(next(iter(self._kept)))
        return made

    def warm(self) -> None:
        """Load in the background what the first search would otherwise wait for."""
        threading.Thread(target=self._warm, name="warm", daemon=True).start()

    def _warm(self) -> None:
        from sketchseek.pictures import sketch_from_strokes

        with suppress(SketchseekError):  # the first real search reports it
            self.gallery.search(sketch=sketch_from_strokes([[[0, 1], [0, 1]]]), text="photo", k=1)
        self.upload_decoders.warm()
        self.photo_decoders.warm()

    def kill(self) -> None:
        """Kill the processes, whatever they do."""
        for decoders in (self.upload_decoders, self.svg_decoders, self.photo_decoders):
            decoders.close()
        self.indexing.kill()

    def close(self) -> None:
        for decoders in (self.upload_decoders, self.svg_decoders, self.photo_decoders):
            decoders.close()
        self.watching.stop()
        self.indexing.stop()
        for pool in (
            self.searches,
            self.uploads,
            self.svgs,
            self.pictures,
            self.reports,
            self.records,
            self.folders,
            self.exports,
        ):
            pool.close()
        self.gallery.close()

    def stats(self) -> Stats:
        return self._stats_and_names()[0]

    def folder_names(self) -> FolderNames:
        return self._stats_and_names()[1]

    def _stats_and_names(self) -> tuple[Stats, FolderNames]:
        """Read again after a second, and whenever indexing has made progress."""
        with self._lock:
            now, indexing = time.monotonic(), self.indexing.status
            progress = (indexing.state, indexing.done)
            if self._cache is None or now - self._cached_at > STATS_MAX_AGE_S or self._cached_progress != progress:
                self._cached_progress = progress
                stats = self.gallery.stats()
                self._cache, self._cached_at = (stats, FolderNames(stats.folders)), now
            return self._cache
