"""All that the routes share."""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from sketchseek.errors import SketchseekError
from sketchseek.gallery import Gallery
from sketchseek.gallery.stats import Stats
from sketchseek.parallel import usable_cores
from sketchseek.server.metrics import Metrics
from sketchseek.server.places import Places
from sketchseek.server.processes.decoders import Decoders
from sketchseek.server.processes.indexing import Indexing
from sketchseek.server.protection.limits import Limits
from sketchseek.server.query_encoder import Encoder
from sketchseek.server.thumbnails import Thumbnails
from sketchseek.server.work import Work

FRESH_S = 1.0  # counting everything takes a while in a large gallery


@dataclass
class Service:
    """``gallery`` searches with ``encoder``; ``opened_by`` says how many uploads and thumbnails open at once."""

    gallery: Gallery
    encoder: Encoder
    indexing: Indexing
    thumbnails: Thumbnails
    limits: Limits = field(default_factory=Limits)
    cores: int = field(default_factory=lambda: max(2, usable_cores()))

    def __post_init__(self) -> None:
        self.searches = Work("search", self.cores, self.limits.searches)
        self.pictures = Work("picture", self.cores, self.limits.pictures)
        self.uploads = Decoders(self.cores, self.limits)
        self.photos = Decoders(self.cores, self.limits)  # apart from uploads: a search never waits for thumbnails
        self.metrics = Metrics(self)
        self._lock = threading.Lock()
        self._stats: tuple[float, Stats, Places] | None = None
        self._seen: tuple[str, int] | None = None

    def warm(self) -> None:
        """Do once, unasked, what the first search would wait for."""
        threading.Thread(target=self._warm, name="warm", daemon=True).start()

    def _warm(self) -> None:
        from sketchseek.pictures import sketch_from_strokes

        with suppress(SketchseekError):  # whoever asks first will be told
            self.gallery.search(sketch=sketch_from_strokes([[[0, 1], [0, 1]]]), text="photo", k=1)
        self.uploads.warm()
        self.photos.warm()

    def close(self) -> None:
        self.indexing.stop()
        self.searches.close()
        self.pictures.close()
        self.uploads.close()
        self.photos.close()
        self.gallery.close()

    def stats(self) -> Stats:
        return self._fresh()[1]

    def places(self) -> Places:
        return self._fresh()[2]

    def _fresh(self) -> tuple[float, Stats, Places]:
        with self._lock:
            now, indexing = time.monotonic(), self.indexing.now
            if self._stats is None or now - self._stats[0] > FRESH_S or self._seen != (indexing.state, indexing.done):
                self._seen = (indexing.state, indexing.done)
                stats = self.gallery.stats()
                self._stats = (now, stats, Places(stats.folders))
            return self._stats
