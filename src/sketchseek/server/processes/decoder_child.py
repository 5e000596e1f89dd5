"""The process that opens pictures for the server, so that a picture that crashes or fills memory stops only this.

Run as ``python -m sketchseek.server.processes.decoder_child``. Each request on stdin is a line of JSON followed, for
uploads, by bytes; each response on stdout has the same form. The process exits at the end of stdin.
"""

import io
import json
import os
import sys
from typing import Any, BinaryIO

from PIL import Image

from sketchseek.errors import SketchseekError
from sketchseek.pictures import PictureError, RasterSketch, load_photo, load_sketch

JPEG_QUALITY = 84


def serve(requests: BinaryIO, responses: BinaryIO) -> None:
    """Respond to every request until the end of the stream."""
    for line in requests:
        request = json.loads(line)
        data = requests.read(request["bytes"])
        try:
            head, body = _response(request, data)
        except SketchseekError as error:
            reason = error.reason if isinstance(error, PictureError) else str(error)
            head, body = {"reason": reason}, b""
        except MemoryError:
            head, body = {"reason": "does not fit into memory"}, b""
        responses.write(json.dumps({**head, "bytes": len(body)}).encode() + b"\n" + body)
        responses.flush()


def _response(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    if request["action"] == "thumbnail":
        return {}, jpeg(request["path"], request["side"])
    if request["action"] == "uploaded_sketch":
        sketch = load_sketch(data, name=request["name"], max_pixels=request["pixels"])
        assert isinstance(sketch, RasterSketch), "the server itself opens drawings in text formats"
        pixels = sketch.pixels
    elif request["action"] == "photo":
        pixels = load_photo(request["path"], target=request["side"])
    else:
        pixels = load_photo(data, name=request["name"], target=request["side"], max_pixels=request["pixels"])
    return {"shape": pixels.shape}, pixels.tobytes()


def jpeg(path: str, side: int) -> bytes:
    """A photo on disk as a JPEG, upright, no side longer than ``side`` px."""
    image = Image.fromarray(load_photo(path, target=side))
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=JPEG_QUALITY)
    return stream.getvalue()


def _limit_memory(size: int) -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        pass  # not every system supports it; time and pixels are limited everywhere


if __name__ == "__main__":
    _limit_memory(int(sys.argv[1]))
    responses = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not mix with the responses
    serve(sys.stdin.buffer, responses)
