"""Read files that strangers made: plain files of a bounded size, strict JSON."""

import errno
import json
import math
import os
import stat
from pathlib import Path
from typing import Any

MAX_TEXT = 16 * 2**20  # bytes of a file of settings: JSON, TOML, a list
MAX_DIGITS = 300  # of a whole number in JSON: more do not fit into a float

# Without O_NONBLOCK, opening a pipe would wait forever for a writer.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def read_bounded(path: Path, limit: int = MAX_TEXT) -> bytes:
    """The bytes of a plain file; raises ``OSError`` if it is something else, or larger than ``limit`` bytes."""
    with open(path, "rb", opener=lambda name, _: os.open(name, _FLAGS)) as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "it is not a plain file")
        data = file.read(limit + 1) if facts.st_size <= limit else b""
    if facts.st_size > limit or len(data) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit / 2**20:.0f} MB")
    return data


def parse_json(data: bytes | str) -> Any:
    """The value of a JSON text; a ``ValueError`` if it is nested too deeply or has a number that no float holds."""
    try:
        return json.loads(data, parse_constant=_refuse, parse_float=_finite, parse_int=_whole)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse(text: str) -> float:
    raise ValueError(f"{text[:20]} is not a number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number has {len(text)} digits")
    return int(text)
