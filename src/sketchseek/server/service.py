"""What the routes share: the gallery, the model, thread pools, child processes and caches."""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace

from sketchseek.errors import SketchseekError
from sketchseek.gallery import Gallery
from sketchseek.gallery.stats import Stats
from sketchseek.parallel import usable_cores
from sketchseek.server.folder_names import FolderNames
from sketchseek.server.metrics import Metrics
from sketchseek.server.processes.decoders import Decoders
from sketchseek.server.processes.indexing import Indexing
from sketchseek.server.protection.limits import ByteBudget, Limits
from sketchseek.server.query_encoder import QueryEncoder
from sketchseek.server.thread_pool import BoundedThreadPool
from sketchseek.server.thumbnails import Thumbnails

STATS_MAX_AGE_S = 1.0  # counting takes a while in a large gallery


@dataclass
class Service:
    """``gallery`` searches with ``encoder``; ``cores`` limits how many searches and how many pictures run at once."""

    gallery: Gallery
    encoder: QueryEncoder
    indexing: Indexing
    thumbnails: Thumbnails
    limits: Limits = field(default_factory=Limits)
    cores: int = field(default_factory=lambda: max(2, usable_cores()))

    def __post_init__(self) -> None:
        # Separate pools: an ordinary search never waits for uploads, for SVGs, for photos or for a drive that hangs.
        svg_threads = max(1, self.cores // 2)
        self.searches = BoundedThreadPool("search", self.cores, self.limits.searches)
        self.uploads = BoundedThreadPool("upload", self.cores, self.limits.searches)
        self.svgs = BoundedThreadPool("svg", svg_threads, self.limits.svgs)
        self.pictures = BoundedThreadPool("picture", self.cores, self.limits.pictures)
        self.reports = BoundedThreadPool("report", 2, self.limits.reports)
        self.upload_decoders = Decoders(self.cores, self.limits)
        self.svg_decoders = Decoders(svg_threads, replace(self.limits, decode_seconds=self.limits.svg_seconds))
        self.photo_decoders = Decoders(self.cores, self.limits)
        self.sending = ByteBudget(self.limits.sending_bytes)
        self.metrics = Metrics(self)
        self._lock = threading.Lock()
        self._cache: tuple[Stats, FolderNames] | None = None
        self._cached_at = 0.0
        self._cached_progress: tuple[str, int] | None = None
        self.indexing.use_model = self.use_model

    def change_model(self, name: str) -> bool:
        """Index all folders with another model, then search with it; False if photos are being indexed now."""
        return self.indexing.start(self.gallery.path, [], name)

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
        self.indexing.stop()
        for pool in (self.searches, self.uploads, self.svgs, self.pictures, self.reports):
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
