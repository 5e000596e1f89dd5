"""Graphs and tokenizers of models that do not ship run in processes of their own, limited in time and memory.

A graph can loop without end, and one step of it can take any time; neither can be stopped from within a process.
"""

import json
import math
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from sketchseek.engine.folder import EngineError
from sketchseek.engine.sessions import Array, StoppedError
from sketchseek.engine.weights import SharedWeights
from sketchseek.tokenizer import Tokens

Message = tuple[dict[str, Any], dict[str, Array]]

OPEN_SECONDS = 120.0  # to start, and to open a graph or tokenizer
CALL_SECONDS = 60.0  # for a call,
ROW_SECONDS = 20.0  # and for each picture or text in it: the largest CLIP on a slow processor needs half as long
MEMORY = 4 * 2**30  # bytes that a graph's process may allocate, beside four times the size of graph and weights
TOKENIZER_MEMORY = 2**30
MAX_ANSWER = 2**30  # bytes; the tokens of 16 pictures of the largest CLIP are a tenth of it


class IsolatedSession:
    """A graph in a process of its own; otherwise like ``OrtSession``."""

    def __init__(self, graph: bytes, provider: str, threads: int, weights: SharedWeights | None = None) -> None:
        parts = {"": _bytes(graph)} | ({} if weights is None else {weights.file: weights.data})
        # Drivers of graphics cards reserve far more memory than they use.
        memory = MEMORY + 4 * sum(part.nbytes for part in parts.values()) if provider == "CPU" else 0
        self._child = Child(memory)
        self._child.call({"open": "graph", "provider": provider, "threads": threads}, parts, OPEN_SECONDS)

    def __call__(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        rows = max((len(array) for array in inputs.values() if array.ndim), default=1)
        found = self._child.call({"outputs": list(outputs)}, inputs, CALL_SECONDS + ROW_SECONDS * rows)
        return [found[name] for name in outputs]


class IsolatedTokenizer:
    """A tokenizer in a process of its own; otherwise like ``Tokenizer``."""

    def __init__(self, json: bytes, *, path: Path, context: int) -> None:
        self._child = Child(TOKENIZER_MEMORY)
        self._child.call({"open": "tokenizer", "path": str(path), "context": context}, {"": _bytes(json)}, OPEN_SECONDS)

    def __call__(self, texts: Sequence[str]) -> Tokens:
        found = self._child.call({"texts": list(texts)}, {}, CALL_SECONDS)
        return Tokens(found["ids"], found["ends"])


class Child:
    """A process of ``isolated_child``. It ends with this object, or with this process, whatever it is doing."""

    def __init__(self, memory: int) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            # -P: not the modules of the current folder, which may be a stranger's too
            [sys.executable, "-P", "-m", "sketchseek.engine.isolated_child", str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries print there what they also raise
            start_new_session=True,  # a Ctrl-C in the terminal goes to this process, which then stops the other
        )
        self._lock = threading.Lock()
        self._stop = weakref.finalize(self, _stop, self._process)

    def call(self, head: Mapping[str, Any], arrays: Mapping[str, Array], seconds: float) -> dict[str, Array]:
        """The arrays it answers with; raises its ``SketchseekError``, or ``StoppedError`` after so many seconds."""
        late = threading.Event()

        def stop() -> None:
            late.set()
            self._process.kill()

        assert self._process.stdin and self._process.stdout
        with self._lock:
            timer = threading.Timer(seconds, stop)
            timer.start()
            try:
                write_message(self._process.stdin, head, arrays)
                answer = read_message(self._process.stdout)
            except OSError:  # it has ended
                answer = None
            except BaseException:  # Ctrl-C: its next answer would be that of this call
                self._stop()
                raise
            finally:
                timer.cancel()
        if answer is None:
            self._stop()
            what = f"took longer than {seconds:.0f} s" if late.is_set() else "ran out of memory or crashed"
            raise StoppedError(f"a part of this model {what} and was stopped: export the model again, or use another")
        error = answer[0]["error"]
        if error is not None:
            raise EngineError(error)
        return answer[1]


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.communicate()


def _bytes(data: bytes) -> Array:
    return np.frombuffer(data, np.uint8)


def write_message(stream: IO[bytes], head: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """A line of JSON with the arrays' names, types and shapes, and then their bytes."""
    table = [(name, array.dtype.str, array.shape) for name, array in arrays.items()]
    stream.write(json.dumps({**head, "arrays": table}).encode() + b"\n")
    for array in arrays.values():
        stream.write(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    stream.flush()


def read_message(stream: IO[bytes]) -> Message | None:
    """What ``write_message`` wrote; None if the stream ends."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    head = json.loads(line)
    arrays: dict[str, Array] = {}
    for name, kind, shape in head.pop("arrays"):
        size = math.prod(shape) * np.dtype(kind).itemsize
        data = stream.read(size)
        if len(data) < size:
            return None
        arrays[name] = np.frombuffer(data, kind).reshape(shape)
    return head, arrays
