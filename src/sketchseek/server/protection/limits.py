"""Limits on what one request, and all requests together, may cost."""

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
    searches: int = 64  # running or waiting; further ones get a 503
    pictures: int = 256  # thumbnails and photos, running or waiting
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
MAX_FIELDS = 200  # of all kinds, in one form
