"""The process that reads and opens pictures for the server: a picture or a drive can stop only this process.

Run as ``python -m sketchseek.server.processes.decoder_child MEMORY``. It writes ``{}`` once it is ready. Each request
on stdin is a line of JSON followed, for uploads, by bytes; each response on stdout has the same form. The process exits
at the end of stdin.
"""

import hashlib
import io
import json
import os
import signal
import sys
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from sketchseek.child_process import limit_memory, take_stdout
from sketchseek.errors import SketchseekError
from sketchseek.pictures import PictureError, RasterSketch, load_photo, load_sketch
from sketchseek.pictures.camera import camera_facts
from sketchseek.pictures.formats import JPEG, format_of
from sketchseek.pictures.sources import MAX_FILE_BYTES
from sketchseek.untrusted import UnsafeFileError, read_bounded

JPEG_QUALITY = 84
MAX_SKETCH_SIDE = 2048  # px; models need a tenth of it
MAX_STRETCH = 16  # a photo's longer side, in multiples of the shorter side that the model needs
HASH_BYTES = 32  # as the gallery hashes files
_GONE = (FileNotFoundError, NotADirectoryError, PermissionError, UnsafeFileError)


def serve(requests: BinaryIO, responses: BinaryIO) -> None:
    """Respond to every request until the end of the stream."""
    child = _Child()
    for line in requests:
        request = json.loads(line)
        data = requests.read(request["bytes"])
        _end_after(request["seconds"])
        try:
            head, body = child.respond(request, data)
        except SketchseekError as error:
            reason = error.reason if isinstance(error, PictureError) else str(error)
            head, body = {"reason": reason}, b""
        except MemoryError:
            head, body = {"reason": "does not fit into memory"}, b""
        _end_after(0)
        responses.write(json.dumps({**head, "bytes": len(body)}).encode() + b"\n" + body)
        responses.flush()


class _Child:
    """``read`` holds the bytes of one photo, which were compared with its id; the next request uses and drops them."""

    def __init__(self) -> None:
        self._held, self._name = b"", ""

    def respond(self, request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """(head, body)"""
        action, side = request["action"], int(request.get("side", 0))
        if action == "read":
            return self._read(request["paths"], request["id"]), b""
        if action == "uploaded_sketch":
            sketch = load_sketch(data, name=request["name"], max_pixels=request["pixels"])
            assert isinstance(sketch, RasterSketch), "the server itself opens strokes"
            return _array(_at_most(sketch.pixels, MAX_SKETCH_SIDE))
        if action == "uploaded_photo":
            photo = load_photo(data, name=request["name"], target=side, max_pixels=request["pixels"])
            return _array(_at_most(photo, MAX_STRETCH * side))
        held, self._held = self._held, b""
        if action == "send":
            return {}, held
        if action == "facts":
            return {"facts": camera_facts(held, self._name)}, b""
        if action == "jpeg":
            return {}, jpeg(held, self._name, side)
        return _array(_at_most(load_photo(held, name=self._name, target=side), MAX_STRETCH * side))

    def _read(self, paths: list[str], id: str) -> dict[str, Any]:
        """Hold the bytes of the first of ``paths`` whose content is that of ``id``."""
        unreadable = None
        for number, path in enumerate(paths):
            try:
                data = read_bounded(path, MAX_FILE_BYTES)
            except _GONE:
                continue
            except OSError as error:  # the drive may answer later
                unreadable = error.strerror or str(error)
                continue
            if hashlib.blake2b(data, digest_size=HASH_BYTES).hexdigest().startswith(id):
                self._held, self._name = data, os.path.basename(path)  # noqa: PTH119 - any bytes
                return {"path": number, "size": len(data), "type": _browser_type(data, self._name)}
        return {"path": None, "unreadable": unreadable}


def _browser_type(data: bytes, name: str) -> str | None:
    """The media type of a photo that browsers show upright as it is; None for any other."""
    format = format_of(data, name)
    if format is None or not format.mime_type:
        return None
    if format is JPEG:  # the only format whose EXIF orientation browsers apply
        return format.mime_type
    try:
        with Image.open(io.BytesIO(data), formats=(format.pillow_format,)) as image:
            upright = image.getexif().get(ExifTags.Base.Orientation, 1) == 1
    except Exception:  # damaged metadata: browsers ignore it as well
        upright = True
    return format.mime_type if upright else None


def jpeg(data: bytes, name: str, side: int) -> bytes:
    """A photo as a JPEG, upright, no side longer than ``side`` px."""
    image = Image.fromarray(_at_most(load_photo(data, name=name, target=side), MAX_STRETCH * side))
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=JPEG_QUALITY)
    return stream.getvalue()


def _at_most(pixels: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """The picture with each axis averaged down, on its own, to at most ``longest`` px: a strip must not fill memory."""
    factors = (-(-pixels.shape[1] // longest), -(-pixels.shape[0] // longest))
    return pixels if factors == (1, 1) else np.asarray(Image.fromarray(pixels).reduce(factors), dtype=np.uint8)


def _array(pixels: NDArray[np.uint8]) -> tuple[dict[str, Any], bytes]:
    return {"shape": pixels.shape}, pixels.tobytes()


def _end_after(seconds: float) -> None:
    """End this process if it still works then, even if its parent has died; 0: never."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


if __name__ == "__main__":
    limit_memory(int(sys.argv[1]))
    responses = take_stdout()
    try:
        responses.write(b"{}\n")
        responses.flush()
        serve(sys.stdin.buffer, responses)
    except BrokenPipeError:
        os._exit(1)  # the server has ended: nothing reads this any more
