"""How much one request, and all of them together, may cost."""

from dataclasses import dataclass

MiB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Every bound of the server that is not a format's own; tests make them small."""

    body_bytes: int = 32 * MiB
    body_seconds: float = 60.0  # for the whole body to arrive
    held_bytes: int = 256 * MiB  # of bodies that are under way at the same time
    pixels: int = 100_000_000  # of an uploaded picture
    decode_seconds: float = 10.0
    searches: int = 64  # under way or waiting; more are told to come back
    pictures: int = 256
    thumbnail_bytes: int = 512 * MiB  # on disk


STROKES_BYTES = 4 * MiB
FILES = 4  # of each kind
TEXTS = 8  # of each kind
TEXT_LETTERS = 500
MARKS = 64  # of each kind
MOST_WEIGHT = 100.0
MOST_HITS = 200  # on one page
DEFAULT_HITS = 48
DEEPEST = 2000  # hits that paging reaches
FIELDS = 200  # of all kinds, in one form
