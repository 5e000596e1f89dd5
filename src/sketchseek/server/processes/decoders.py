"""Uploads and thumbnails, opened in processes of their own: a few of them, kept, and killed when they take too long."""

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
from sketchseek.pictures.formats import HEAD_BYTES, kind_of
from sketchseek.pictures.sources import printable
from sketchseek.server.protection.limits import Limits

MEMORY = 2 * 2**30  # address space of one; the interpreter and its libraries take half a gigabyte of it
TEXT_KINDS = ("SVG", "STROKES")


class Decoders:
    """Up to ``count`` processes, started when they are first needed; calls wait for a free one."""

    def __init__(self, count: int, limits: Limits) -> None:
        self._limits = limits
        self._free: queue.LifoQueue[subprocess.Popen[bytes] | None] = queue.LifoQueue()
        for _ in range(count):
            self._free.put(None)

    def sketch(self, data: bytes, name: str) -> Sketch:
        """An uploaded drawing."""
        if kind_of(data[:HEAD_BYTES], os.path.splitext(name)[1].lower()) in TEXT_KINDS:  # noqa: PTH122 - any text
            return load_sketch(data, name=name)  # strokes are only numbers; SVG has a process of its own already
        head, body = self._ask(printable(name), data, what="sketch", pixels=self._limits.pixels)
        return RasterSketch(np.frombuffer(body, np.uint8).reshape(head["shape"]))

    def photo(self, data: bytes, name: str, side: int) -> NDArray[np.uint8]:
        """An uploaded photo, shortest side about ``side`` px."""
        head, body = self._ask(printable(name), data, what="photo", side=side, pixels=self._limits.pixels)
        return np.frombuffer(body, np.uint8).reshape(head["shape"])

    def pixels(self, path: str, name: str, side: int) -> NDArray[np.uint8]:
        """A photo of the gallery, shortest side about ``side`` px."""
        head, body = self._ask(name, b"", what="pixels", path=path, side=side)
        return np.frombuffer(body, np.uint8).reshape(head["shape"])

    def jpeg(self, path: str, name: str, side: int) -> bytes:
        """A photo of the gallery as JPEG, no side longer than ``side`` px."""
        return self._ask(name, b"", what="jpeg", path=path, side=side)[1]

    def warm(self) -> None:
        """Start one process."""
        with self._child():
            pass

    def close(self) -> None:
        """Those at work are left to end by themselves: their stdin closes with this process."""
        while True:
            try:
                child = self._free.get_nowait()
            except queue.Empty:
                return
            if child is not None:
                _end(child)

    def _ask(self, name: str, data: bytes, **asked: Any) -> tuple[dict[str, Any], bytes]:
        with self._child() as child:
            assert child.stdin and child.stdout
            late = threading.Timer(self._limits.decode_seconds, child.kill)
            late.start()
            try:
                child.stdin.write(json.dumps({**asked, "name": name, "bytes": len(data)}).encode() + b"\n")
                child.stdin.write(data)
                child.stdin.flush()
                head = json.loads(child.stdout.readline() or b"null")
                body = child.stdout.read(head["bytes"]) if head else b""
            except BrokenPipeError:
                head, body = None, b""
            finally:
                late.cancel()
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
                _end(child)
            child = None
            raise
        finally:
            self._free.put(child)


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "sketchseek.server.processes.decoder_child", str(MEMORY)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C in the terminal is for the server, which then ends these
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.communicate()
