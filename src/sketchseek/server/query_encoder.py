"""The model with a cache of recent query vectors and a clock.

The cache keeps the words while the user draws, and the drawing while the user moves a slider or scrolls.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.model import Model, can_guess
from sketchseek.pictures import Sketch, StrokeSketch

CACHE_SIZE = 512  # vectors
Vectors = NDArray[np.float32]


class Clock(threading.local):
    """Seconds that the current thread spent in the model."""

    seconds = 0.0


class QueryEncoder:
    """A ``Model`` that wraps another one."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.name, self.identity, self.size, self.photo_side = model.name, model.identity, model.size, model.photo_side
        self._cache: OrderedDict[bytes, Vectors] = OrderedDict()
        self._lock = threading.Lock()
        self._clock = Clock()

    @contextmanager
    def timed(self) -> Iterator[Clock]:
        """The clock of this thread, reset to zero."""
        self._clock.seconds = 0.0
        yield self._clock

    def encode_photos(self, photos: Sequence[NDArray[np.uint8]]) -> Vectors:
        return self._cached(photos, b"photo", _bytes_of_array, self.model.encode_photos)

    def encode_sketches(self, sketches: Sequence[Sketch]) -> Vectors:
        return self._cached(sketches, b"sketch", bytes_of_sketch, self.model.encode_sketches)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return self._cached(texts, b"text", lambda text: text.encode("utf-8", "replace"), self.model.encode_texts)

    def guess(self, sketch: Sketch) -> list[str]:
        """Names of what a drawing may be, likeliest first; none if the model is not sure or knows no names."""
        if not can_guess(self.model):
            return []
        (names,) = self.model.guess(self.encode_sketches([sketch]))
        return names

    def _cached(
        self, items: Sequence[Any], kind: bytes, content: Callable[[Any], bytes], encode: Callable[[Any], Vectors]
    ) -> Vectors:
        """Rows for ``items``; only items missing from the cache are encoded."""
        keys = [hashlib.blake2b(content(item), digest_size=16, key=kind).digest() for item in items]
        with self._lock:
            rows = {key: self._cache[key] for key in keys if key in self._cache}
        missing = {key: item for key, item in zip(keys, items, strict=True) if key not in rows}
        if missing:
            started = time.perf_counter()
            rows |= dict(zip(missing, encode(list(missing.values())), strict=True))
            self._clock.seconds += time.perf_counter() - started
        with self._lock:
            for key in keys:
                self._cache[key] = rows[key]
                self._cache.move_to_end(key)
            while len(self._cache) > CACHE_SIZE:
                self._cache.popitem(last=False)
        return np.stack([rows[key] for key in keys])


def bytes_of_sketch(sketch: Sketch) -> bytes:
    """Equal bytes for equal drawings only."""
    if isinstance(sketch, StrokeSketch):
        lengths = np.array([len(stroke) for stroke in sketch.strokes])
        return b"".join(
            [repr((sketch.sheet, sketch.widths)).encode(), lengths.tobytes(), *(s.tobytes() for s in sketch.strokes)]
        )
    return _bytes_of_array(sketch.pixels)


def _bytes_of_array(array: NDArray[np.uint8]) -> bytes:
    return repr(array.shape).encode() + array.tobytes()
