"""One photo file, read once: its hash, its pixels, its size, when it was taken and with which camera."""

import contextlib
import hashlib
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchseek.colours import pack
from sketchseek.gallery.scan import time_of
from sketchseek.pictures import PictureError, load_photo
from sketchseek.pictures.camera import camera_name
from sketchseek.pictures.errors import MemoryLimitError
from sketchseek.pictures.formats import HEIF, JPEG, PNG, RAW, TIFF, format_of
from sketchseek.pictures.header import late_exif, memory_of_file, open_header
from sketchseek.pictures.heif import heif_facts
from sketchseek.pictures.photo import memory_to_load
from sketchseek.pictures.raw import embedded_jpeg
from sketchseek.pictures.sources import MAX_FILE_BYTES
from sketchseek.untrusted import open_plain

HASH_BYTES = 32
_EXIF, _TAKEN, _DIGITISED, _ORIENTATION = 0x8769, 36867, 36868, 274


@dataclass(slots=True)
class Reading:
    """The result of reading a file once.

    ``pixels`` is None if the gallery has the content's vector already, or if there is a ``failure``. ``temporary``: the
    failure lies outside the file (permission, a disk error, memory), so the next run tries again. ``gone``: the file no
    longer exists.
    """

    path: bytes
    size: int
    mtime_ns: int
    digest: bytes = b""
    pixels: NDArray[np.uint8] | None = None
    width: int = 0
    height: int = 0
    taken: str | None = None
    camera: str | None = None
    colours: bytes | None = None
    failure: str | None = None
    temporary: bool = False
    gone: bool = False


def memory_to_read(path: bytes, target: int) -> int:
    """Bytes that ``read_photo`` takes at its peak, for the file and, by its header, for the picture."""
    try:
        return memory_to_load(os.fsdecode(path), target=target)
    except PictureError:  # it will be the failure of the reading
        with contextlib.suppress(OSError):
            return min(os.stat(path).st_size, MAX_FILE_BYTES)  # noqa: PTH116 - paths are bytes here
        return 0


def read_photo(path: bytes, target: int, needs_pixels: Callable[[bytes], bool], memory: int | None = None) -> Reading:
    """Read the file ``path``, and decode it if ``needs_pixels(hash)``, at the resolution that ``target`` px require.

    ``memory``: bytes that it may take. An error becomes the ``failure`` of the result.
    """
    try:
        return _read(path, target, needs_pixels, memory)
    except FileNotFoundError:
        return Reading(path, 0, 0, gone=True)
    except OSError as error:
        return Reading(path, 0, 0, failure=f"cannot be read: {error.strerror or error}", temporary=True)
    except MemoryError:
        return Reading(path, 0, 0, failure="does not fit into memory", temporary=True)


def _read(path: bytes, target: int, needs_pixels: Callable[[bytes], bool], memory: int | None) -> Reading:
    with open_plain(path) as stream:
        # The time is read before the bytes, so that the next run sees a change made in between.
        status = os.fstat(stream.fileno())
        reading = Reading(path, status.st_size, time_of(status))
        if status.st_size > MAX_FILE_BYTES:
            reading.failure = (
                f"it has {status.st_size / 2**20:.0f} MB; the limit for a photo is {MAX_FILE_BYTES // 2**20} MB"
            )
            return reading
        if memory is not None and status.st_size > memory:
            return _too_large(reading, f"the file has {status.st_size / 1e6:,.0f} MB")
        data = stream.read(status.st_size + 1)
    if len(data) > status.st_size:
        reading.failure, reading.temporary = "it grew while it was read", True
        return reading
    reading.digest = hashlib.blake2b(data, digest_size=HASH_BYTES).digest()
    if needs_pixels(reading.digest):
        name = os.fsdecode(path)
        left = None if memory is None else memory - memory_of_file(format_of(data, name), len(data))
        try:
            reading.pixels = load_photo(data, name=name, target=target, max_memory=left)
        except MemoryLimitError as error:
            return _too_large(reading, error.reason)
        except PictureError as error:
            reading.failure = error.reason
        else:
            reading.width, reading.height, reading.taken, reading.camera = facts(data, name, reading.pixels)
            reading.colours = pack(reading.pixels)
    return reading


def _too_large(reading: Reading, what: str) -> Reading:
    reading.failure, reading.temporary = f"{what}; allow more memory for indexing (--memory)", True
    return reading


def facts(data: bytes, name: str, pixels: NDArray[np.uint8]) -> tuple[int, int, str | None, str | None]:
    """(width, height) in px of the upright photo, when it was taken (ISO, local time), and the name of the camera.

    ``data``: bytes of a file that decodes to ``pixels``.
    """
    format = format_of(data, name)
    size = (pixels.shape[1], pixels.shape[0])
    try:
        if format is HEIF:
            size, stored = heif_facts(data)
            exif = Image.Exif()
            exif.load(stored)
            return *size, _taken(exif), camera_name(exif)
        if format is RAW:
            preview, turn = embedded_jpeg(io.BytesIO(data))
            if preview is not None:
                with open_header(preview, JPEG) as image:
                    exif = image.getexif()
                    size = image.size[::-1] if _is_sideways(exif.get(_ORIENTATION, 1), turn) else image.size
                if taken := _taken(exif):
                    return *size, taken, camera_name(exif)
        # Not ``Image.open``, which refuses sizes that our own limits allow.
        with open_header(io.BytesIO(data), TIFF if format is RAW or format is None else format) as image:
            if format is PNG and (behind := late_exif(data)):
                image.info["exif"] = behind
            exif = Image.Image.getexif(image)  # a PNG's own would decode it once more, to look behind the pixels
            if format is not RAW:  # a camera file's first image is only its thumbnail
                size = image.size[::-1] if _is_sideways(exif.get(_ORIENTATION, 1)) else image.size
            return *size, _taken(exif), camera_name(exif)
    except Exception:  # damaged metadata: the photo itself decodes
        return *size, None, None


def _is_sideways(orientation: int, of_camera: int = 1) -> bool:
    """Whether width and height change places; ``of_camera`` counts where a picture's own orientation says nothing."""
    return (of_camera if orientation == 1 else orientation) in (5, 6, 7, 8)


def _taken(exif: Any) -> str | None:
    details = exif.get_ifd(_EXIF)
    for tag in (_TAKEN, _DIGITISED):
        text = details.get(tag)
        if isinstance(text, str):
            try:
                return datetime.strptime(text.strip("\0 ")[:19], "%Y:%m:%d %H:%M:%S").isoformat()
            except ValueError:
                continue
    return None
