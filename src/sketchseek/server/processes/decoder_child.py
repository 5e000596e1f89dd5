"""The process that opens pictures for the server: what hangs, crashes or swells in here is killed and costs nothing.

Run as ``python -m sketchseek.server.processes.decoder_child``. Each request on stdin is a line of JSON and, for
uploads, bytes; so is each answer on stdout. It ends when stdin does.
"""

import io
import json
import os
import sys
from typing import Any, BinaryIO

from PIL import Image

from sketchseek.errors import SketchseekError
from sketchseek.pictures import PictureError, RasterSketch, load_photo, load_sketch

QUALITY = 84


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the requests end."""
    for line in requests:
        asked = json.loads(line)
        data = requests.read(asked["bytes"])
        try:
            head, body = _answer(asked, data)
        except SketchseekError as error:
            reason = error.reason if isinstance(error, PictureError) else str(error)
            head, body = {"reason": reason}, b""
        except MemoryError:
            head, body = {"reason": "does not fit into memory"}, b""
        answers.write(json.dumps({**head, "bytes": len(body)}).encode() + b"\n" + body)
        answers.flush()


def _answer(asked: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    if asked["what"] == "jpeg":
        return {}, jpeg(asked["path"], asked["side"])
    if asked["what"] == "sketch":
        sketch = load_sketch(data, name=asked["name"], max_pixels=asked["pixels"])
        assert isinstance(sketch, RasterSketch), "drawings made of text are opened by the server itself"
        pixels = sketch.pixels
    elif asked["what"] == "pixels":
        pixels = load_photo(asked["path"], target=asked["side"])
    else:
        pixels = load_photo(data, name=asked["name"], target=asked["side"], max_pixels=asked["pixels"])
    return {"shape": pixels.shape}, pixels.tobytes()


def jpeg(path: str, side: int) -> bytes:
    """A photo on disk as a JPEG, upright, no side longer than ``side`` px."""
    image = Image.fromarray(load_photo(path, target=side))
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()


def _bound_memory(size: int) -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        pass  # not on every system; time and pixels are bounded everywhere


if __name__ == "__main__":
    _bound_memory(int(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not end up among the answers
    serve(sys.stdin.buffer, answers)
