"""Limits on what one request, and all requests together, may cost."""

import threading
from dataclasses import dataclass

MiB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits that tests lower; the constants below are part of the API."""

    body_bytes: int = 32 * MiB
    body_seconds: float = 60.0  # for the whole body to arrive
    held_bytes: int = 256 * MiB  # of all bodies in memory at the same time
    pixels: int = 100_000_000  # of an uploaded picture
    decode_seconds: float = 10.0
    svg_seconds: float = 2.0  # for an uploaded SVG, whose renderer can be kept busy for minutes
    read_seconds: float = 10.0  # for a photo's file to be read from its drive
    searches: int = 64  # running or waiting; further ones get a 503
    svgs: int = 16  # searches with an SVG, running or waiting
    pictures: int = 256  # thumbnails and photos, running or waiting
    reports: int = 64  # status, metrics and facts of a photo, running or waiting
    records: int = 64  # collections, timelines and changes of the gallery, running or waiting
    folders: int = 8  # lists of folders, running or waiting, also those of drives that do not answer
    exports: int = 4  # of collections, running or waiting
    folder_seconds: float = 10.0  # for a folder to be listed
    sending_bytes: int = 512 * MiB  # of all photo files that are being sent
    thumbnail_bytes: int = 512 * MiB  # on disk


MAX_STROKES_BYTES = 4 * MiB
MAX_FILES = 4  # of each kind
MAX_TEXTS = 8  # of each kind
MAX_TEXT_LENGTH = 500
MAX_MARKS = 64  # of each kind
MAX_WEIGHT = 100.0
MAX_HITS = 200  # on one page
DEFAULT_HITS = 48
MAX_OFFSET = 2000  # hits that paging can reach
MAX_COLLECTED = 2000  # photos added to a collection, or removed, at once
COPIED_AT_ONCE = 20  # photos that one request copies into a folder
MAX_FIELDS = 200  # of all kinds, in one form


class ByteBudget:
    """Bytes that all requests together may hold in memory."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Whether ``size`` bytes were left; they are taken until ``give_back``."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def give_back(self, size: int) -> None:
        with self._lock:
            self._left += size
