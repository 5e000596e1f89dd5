"""HEIC photos of phones, decoded in a process of their own: the decoder can crash."""

import re
from importlib.util import find_spec
from typing import Any

from PIL import Image

from sketchseek.pictures.child import ChildError, run_in_child
from sketchseek.pictures.errors import MissingDecoderError, PictureError
from sketchseek.pictures.formats import HEIF
from sketchseek.pictures.limits import check_size

SECONDS = 30  # of processor time; a photo of 48 megapixels takes about 3
_MEMORY = 2 << 30

_SCRIPT = """
import pi_heif
data = sys.stdin.buffer.read()
try:
    found = pi_heif.open_heif(data)
    wide, high = found.size
    if arguments["most"] is None or wide * high > arguments["most"]:
        answer({"size": found.size}, found.info.get("exif") or b"")
    else:
        image = found.to_pillow()
        by = min(image.size) // arguments["keep"] if arguments["keep"] else 1
        if by > 1 and image.mode in ("L", "RGB", "RGBA"):  # before it goes through the pipe
            profile, image = image.info.get("icc_profile"), image.reduce(by)
            image.info["icc_profile"] = profile
        profile = image.info.get("icc_profile") or b""
        head = {"size": found.size, "shape": image.size, "mode": image.mode, "profile": len(profile)}
        answer(head, profile + image.tobytes())
except MemoryError:
    sys.exit("it takes too much memory")
except Exception as error:
    sys.exit((str(error).strip() or type(error).__name__).splitlines()[0])
"""

# Entries of the list of what a file holds: version 2 or 3, a number of 2 or 4 bytes, two more, and the kind.
_KINDS = re.compile(rb"infe(?:\x02.{7}|\x03.{9})(.{4})", re.DOTALL)


def open_heif(data: bytes, name: str, max_pixels: int, keep: int | None = None) -> Image.Image:
    """The primary picture of a HEIC or HEIF file, upright; its shorter side may be reduced to ``keep`` px or more."""
    if find_spec(HEIF.package) is None:
        raise MissingDecoderError(name, "is HEIC", HEIF.package)
    try:
        head, body = _ask(_without_metadata(data), most=max_pixels, keep=keep)
    except ChildError as error:
        why = str(error) or "its decoder crashed, or took too much time or memory"
        raise PictureError(name, f"is damaged or cut short, or of an unusual kind ({why})") from None
    check_size((head["size"][0], head["size"][1]), name, max_pixels)
    profile, pixels = body[: head["profile"]], body[head["profile"] :]
    image = Image.frombytes(head["mode"], tuple(head["shape"]), pixels)
    if profile:
        image.info["icc_profile"] = profile
    return image


def heif_facts(data: bytes) -> tuple[tuple[int, int], bytes]:
    """(width, height) of the primary picture, upright, and its EXIF; empty if it has none that can be read."""
    safe = all(kind.isascii() for kind in _KINDS.findall(data))
    head, exif = _ask(data if safe else _without_metadata(data), most=None, keep=None)
    return (head["size"][0], head["size"][1]), exif


def _ask(data: bytes, most: int | None, keep: int | None) -> tuple[dict[str, Any], bytes]:
    return run_in_child(_SCRIPT, (HEIF.package, "PIL"), data, seconds=SECONDS, memory=_MEMORY, most=most, keep=keep)


def _without_metadata(data: bytes) -> bytes:
    """The file with its EXIF and XMP detached from every picture; the orientation is stored elsewhere.

    pi-heif always reads them, and crashes if the name of their kind is not text (seen in 1.4.0).
    """
    cleaned, at = bytearray(data), 0
    while at + 16 <= len(data):
        size = int.from_bytes(data[at : at + 4])
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16])
        end = at + size if size else len(data)
        if end < at + 8:  # damaged: the decoder reports it
            break
        if data[at + 4 : at + 8] == b"meta":
            cleaned[at:end] = data[at:end].replace(b"cdsc", b"free")  # the reference "describes the content of"
        at = end
    return bytes(cleaned)
