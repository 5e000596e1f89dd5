"""The model as the server asks it: with a clock, and a memory of what it was asked last.

Words stay while somebody draws, and a drawing stays while somebody moves a slider or scrolls on.
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

from sketchseek.model import Model
from sketchseek.pictures import Sketch, StrokeSketch

REMEMBERED = 512
Vectors = NDArray[np.float32]


class Clock(threading.local):
    """Seconds that the thread's own work spent inside the model."""

    seconds = 0.0


class Encoder:
    """A ``Model`` around another."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.name, self.identity, self.size, self.photo_side = model.name, model.identity, model.size, model.photo_side
        self.calibration: dict[str, tuple[float, float]] | None = getattr(model, "calibration", None)
        self._known: OrderedDict[bytes, Vectors] = OrderedDict()
        self._lock = threading.Lock()
        self._clock = Clock()

    @contextmanager
    def timed(self) -> Iterator[Clock]:
        """A clock that starts at zero, for the work of this thread."""
        self._clock.seconds = 0.0
        yield self._clock

    def encode_photos(self, photos: Sequence[NDArray[np.uint8]]) -> Vectors:
        return self._each(photos, b"photo", _bytes_of_array, self.model.encode_photos)

    def encode_sketches(self, sketches: Sequence[Sketch]) -> Vectors:
        return self._each(sketches, b"sketch", bytes_of_sketch, self.model.encode_sketches)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return self._each(texts, b"text", lambda text: text.encode("utf-8", "replace"), self.model.encode_texts)

    def _each(
        self, items: Sequence[Any], kind: bytes, content: Callable[[Any], bytes], encode: Callable[[Any], Vectors]
    ) -> Vectors:
        """Rows for ``items``; only those that are not remembered are encoded."""
        keys = [hashlib.blake2b(content(item), digest_size=16, key=kind).digest() for item in items]
        with self._lock:
            rows = {key: self._known[key] for key in keys if key in self._known}
        fresh = {key: item for key, item in zip(keys, items, strict=True) if key not in rows}
        if fresh:
            started = time.perf_counter()
            rows |= dict(zip(fresh, encode(list(fresh.values())), strict=True))
            self._clock.seconds += time.perf_counter() - started
        with self._lock:
            for key in keys:
                self._known[key] = rows[key]
                self._known.move_to_end(key)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return np.stack([rows[key] for key in keys])


def bytes_of_sketch(sketch: Sketch) -> bytes:
    """What makes two drawings the same."""
    if isinstance(sketch, StrokeSketch):
        lengths = np.array([len(stroke) for stroke in sketch.strokes])
        return b"".join(
            [repr((sketch.sheet, sketch.widths)).encode(), lengths.tobytes(), *(s.tobytes() for s in sketch.strokes)]
        )
    return _bytes_of_array(sketch.pixels)


def _bytes_of_array(array: NDArray[np.uint8]) -> bytes:
    return repr(array.shape).encode() + array.tobytes()
