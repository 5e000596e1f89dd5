"""The process of ``isolation``: opens one graph or tokenizer, then answers calls until the end of stdin.

Run as ``python -m sketchseek.engine.isolated_child MEMORY``, in bytes; 0 is no limit. Messages are those of
``write_message``; the ``error`` of an answer is a sentence or None.
"""

import os
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from sketchseek.child_process import limit_memory, take_stdout
from sketchseek.engine.isolation import MAX_ANSWER, Message, read_message, write_message
from sketchseek.engine.sessions import Array, OrtSession
from sketchseek.engine.weights import SharedWeights
from sketchseek.errors import SketchseekError
from sketchseek.tokenizer import Tokenizer

Call = Callable[[Message], dict[str, Array]]


def main() -> None:
    """Read on while a call runs, because the end of stdin must end the process even then."""
    limit_memory(int(sys.argv[1]))
    answers = take_stdout()
    calls: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_work, args=(calls, answers), daemon=True).start()
    while (message := read_message(sys.stdin.buffer)) is not None:
        calls.put(message)
    os._exit(0)


def _work(calls: "queue.SimpleQueue[Message]", answers: BinaryIO) -> None:
    call: Call | None = None
    try:
        while True:
            found: dict[str, Array] = {}
            error = None
            try:
                message = calls.get()
                if call is None:
                    call = _open(message)
                else:
                    found = call(message)
                if sum(array.nbytes for array in found.values()) > MAX_ANSWER:
                    raise SketchseekError("a graph of this model computes far more numbers than a CLIP: use another")
            except SketchseekError as failure:
                error, found = str(failure), {}
            except MemoryError:
                error, found = "a part of this model needs too much memory: use another", {}
            write_message(answers, {"error": error}, found)
    finally:
        os._exit(1)  # an error of our own: the other process sees the end of the answers


def _open(message: Message) -> Call:
    """What to do with the calls that follow the first one, which has the content of a file."""
    head, arrays = message
    data = arrays.pop("").tobytes()
    if head["open"] == "graph":
        weights = next((SharedWeights(file, content) for file, content in arrays.items()), None)
        arrays.clear()
        session = OrtSession(data, head["provider"], head["threads"], weights)

        def run(message: Message) -> dict[str, Array]:
            names = message[0]["outputs"]
            return dict(zip(names, session(message[1], names), strict=True))

        return run

    tokenizer = Tokenizer(data, path=Path(head["path"]), context=head["context"])

    def read(message: Message) -> dict[str, Array]:
        tokens = tokenizer(message[0]["texts"])
        return {"ids": tokens.ids, "ends": tokens.ends}

    return read


if __name__ == "__main__":
    main()
