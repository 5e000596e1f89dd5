"""Child processes that open uploads and photos; one that takes too long is killed and replaced."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.pictures import PictureError, RasterSketch, Sketch, load_sketch
from sketchseek.pictures.formats import format_of
from sketchseek.pictures.sources import MAX_NAME
from sketchseek.server.protection.limits import Limits
from sketchseek.wording import shown

MEMORY = 2 * 2**30  # address space of one process; the interpreter and its libraries need half a gigabyte of it


class Decoders:
    """Up to ``count`` processes, each started when first needed and then reused; calls wait for a free one."""

    def __init__(self, count: int, limits: Limits) -> None:
        self._limits = limits
        self._free: queue.LifoQueue[subprocess.Popen[bytes] | None] = queue.LifoQueue()
        for _ in range(count):
            self._free.put(None)

    def sketch(self, data: bytes, name: str) -> Sketch:
        """An uploaded drawing."""
        format = format_of(data, name)
        if format is not None and format.drawing:
            return load_sketch(data, name=name)  # strokes are only numbers; SVG already runs in its own process
        head, body = self._request("uploaded_sketch", shown(name, MAX_NAME), data, pixels=self._limits.pixels)
        return RasterSketch(np.frombuffer(body, np.uint8).reshape(head["shape"]))

    def photo(self, data: bytes, name: str, side: int) -> NDArray[np.uint8]:
        """An uploaded photo, shortest side about ``side`` px."""
        head, body = self._request("uploaded_photo", shown(name, MAX_NAME), data, side=side, pixels=self._limits.pixels)
        return np.frombuffer(body, np.uint8).reshape(head["shape"])

    def pixels(self, path: str, name: str, side: int) -> NDArray[np.uint8]:
        """A photo of the gallery, shortest side about ``side`` px."""
        head, body = self._request("photo", name, path=path, side=side)
        return np.frombuffer(body, np.uint8).reshape(head["shape"])

    def jpeg(self, path: str, name: str, side: int) -> bytes:
        """A photo of the gallery as JPEG, no side longer than ``side`` px."""
        return self._request("thumbnail", name, path=path, side=side)[1]

    def warm(self) -> None:
        """Start one process."""
        with self._child():
            pass

    def close(self) -> None:
        """Stop the idle processes; a busy one exits when this process does, because its stdin closes."""
        while True:
            try:
                child = self._free.get_nowait()
            except queue.Empty:
                return
            if child is not None:
                _stop(child)

    def _request(self, action: str, name: str, data: bytes = b"", **options: Any) -> tuple[dict[str, Any], bytes]:
        """(head, body) of the response of ``decoder_child``; ``name`` is the file in error messages."""
        request = {"action": action, "name": name, "bytes": len(data), **options}
        with self._child() as child:
            assert child.stdin and child.stdout
            timer = threading.Timer(self._limits.decode_seconds, child.kill)
            timer.start()
            try:
                child.stdin.write(json.dumps(request).encode() + b"\n")
                child.stdin.write(data)
                child.stdin.flush()
                head = json.loads(child.stdout.readline() or b"null")
                body = child.stdout.read(head["bytes"]) if head else b""
            except BrokenPipeError:
                head, body = None, b""
            finally:
                timer.cancel()
            if head is None or len(body) < head["bytes"]:
                child.kill()
                raise PictureError(name, "takes too long or too much memory to open; save it as a plain JPEG or PNG")
        if "reason" in head:
            raise PictureError(name, head["reason"])
        return head, body

    @contextmanager
    def _child(self) -> Iterator[subprocess.Popen[bytes]]:
        child = self._free.get()
        try:
            if child is None:
                child = _start()
            yield child
        except BaseException:
            if child is not None:
                _stop(child)
            child = None
            raise
        finally:
            self._free.put(child)


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "sketchseek.server.processes.decoder_child", str(MEMORY)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C in the terminal goes to the server, which then stops these
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.communicate()
