"""Child processes that read and open uploads and photos; one that takes too long is killed and replaced."""

import os
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.pictures import PictureError, RasterSketch, Sketch, load_sketch
from sketchseek.pictures.formats import QUICKDRAW, format_of
from sketchseek.pictures.sources import MAX_NAME
from sketchseek.server.errors import RETRY, RequestError
from sketchseek.server.processes.child import Child
from sketchseek.server.protection.limits import Limits, MiB
from sketchseek.wording import shown

MAX_PIXEL_BYTES = 64 * MiB  # of one decoded picture that a process may send
TOO_SLOW = "takes too long or too much memory to open; save it as a plain JPEG or PNG"


class Decoders:
    """Up to ``count`` processes, each started when first needed and then reused; calls wait for a free one."""

    def __init__(self, count: int, limits: Limits) -> None:
        self._limits = limits
        self._free: queue.LifoQueue[Child | None] = queue.LifoQueue()
        self._children: set[Child] = set()
        self._lock = threading.Lock()
        for _ in range(count):
            self._free.put(None)

    def sketch(self, data: bytes, name: str) -> Sketch:
        """An uploaded drawing."""
        if format_of(data, name) is QUICKDRAW:
            return load_sketch(data, name=name)  # only numbers
        return RasterSketch(self._upload("uploaded_sketch", data, name))

    def photo(self, data: bytes, name: str, side: int) -> NDArray[np.uint8]:
        """An uploaded photo, shortest side about ``side`` px."""
        return self._upload("uploaded_photo", data, name, side=side)

    @contextmanager
    def open(self, id: str, paths: Sequence[Path]) -> Iterator["StoredPhoto"]:
        """A photo of the gallery: the first of its files whose bytes still are those of ``id``."""
        name = shown(paths[0].name)
        with self._child() as child:
            request = {"action": "read", "id": id, "paths": [os.fsdecode(path) for path in paths]}
            answer = child.ask(request, b"", self._limits.read_seconds, 0)
            if answer is None:
                seconds = f"{self._limits.read_seconds:g}"
                raise RequestError(503, f"{name} was not read within {seconds} seconds; is its drive connected?", RETRY)
            head = answer[0]
            if "reason" in head:
                raise PictureError(name, head["reason"])
            if head["path"] is None and head["unreadable"]:
                raise RequestError(503, f"{name} cannot be read ({head['unreadable']}); is its drive connected?", RETRY)
            if head["path"] is None:
                raise RequestError(
                    410, f"{name} is missing or has changed since it was indexed; index its folder again."
                )
            yield StoredPhoto(child, self._limits.decode_seconds, paths[head["path"]], head)

    def warm(self) -> None:
        """Start one process."""
        with self._child():
            pass

    def close(self) -> None:
        """Kill every process, also those that work."""
        with self._lock:
            children = list(self._children)
        for child in children:
            child.kill()

    def _upload(self, action: str, data: bytes, name: str, **options: int) -> NDArray[np.uint8]:
        name = shown(name, MAX_NAME)
        request = {"action": action, "name": name, "pixels": self._limits.pixels, **options}
        with self._child() as child:
            return _pixels(*_ask(child, name, request, data, self._limits.decode_seconds, MAX_PIXEL_BYTES))

    @contextmanager
    def _child(self) -> Iterator[Child]:
        child = self._free.get()
        try:
            if child is None or not child.alive:
                child = Child()
                with self._lock:
                    self._children = {known for known in self._children if known.alive} | {child}
                child.wait_until_ready()
            yield child
        finally:
            self._free.put(child if child is not None and child.alive else None)


class StoredPhoto:
    """The bytes of a photo in a process that has compared them with its id; what is shown is made of these bytes.

    One of the methods can be called once.
    """

    def __init__(self, child: Child, seconds: float, path: Path, head: dict[str, Any]) -> None:
        self._child, self._seconds, self._name = child, seconds, shown(path.name)
        self.path = path
        self.size: int = head["size"]
        self.media_type: str | None = head["type"]  # None: browsers do not show it, or not upright

    def data(self) -> bytes:
        """The file."""
        return self._ask("send", self.size)[1]

    def facts(self) -> dict[str, Any]:
        """What the camera wrote; see ``camera_facts``."""
        return dict(self._ask("facts", 0)[0]["facts"])

    def jpeg(self, side: int) -> bytes:
        """As JPEG, no side longer than ``side`` px."""
        return self._ask("jpeg", MAX_PIXEL_BYTES, side=side)[1]

    def pixels(self, side: int) -> NDArray[np.uint8]:
        """Shortest side about ``side`` px."""
        return _pixels(*self._ask("pixels", MAX_PIXEL_BYTES, side=side))

    def _ask(self, action: str, most: int, **options: int) -> tuple[dict[str, Any], bytes]:
        return _ask(self._child, self._name, {"action": action, **options}, b"", self._seconds, most)


def _ask(
    child: Child, name: str, request: dict[str, Any], data: bytes, seconds: float, most: int
) -> tuple[dict[str, Any], bytes]:
    """(head, body) of the response; ``name`` is the file in error messages."""
    answer = child.ask(request, data, seconds, most)
    if answer is None:
        raise PictureError(name, TOO_SLOW)
    if "reason" in answer[0]:
        raise PictureError(name, answer[0]["reason"])
    return answer


def _pixels(head: dict[str, Any], body: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(body, np.uint8).reshape(head["shape"])
