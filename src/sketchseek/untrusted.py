"""Read files that strangers made: plain files of a bounded size, strict JSON."""

import errno
import json
import math
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

MAX_TEXT = 16 * 2**20  # bytes of a file of settings: JSON, TOML, a list
MAX_DIGITS = 300  # of a whole number in JSON: more do not fit into a float

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
# Without O_NONBLOCK, opening a pipe that has just replaced the file would wait forever for a writer.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class UnsafeFileError(OSError):
    """The file is there, but it is not a plain file, is too large, or grows; ``strerror`` starts with "it"."""


def open_plain(path: Path | str | bytes) -> BinaryIO:
    """A plain file, open for reading, and never one that blocks; ``UnsafeFileError`` for anything else."""
    _check_kind(os.stat(path).st_mode)  # noqa: PTH116 - any bytes; before opening, because some devices act then
    file = open(path, "rb", opener=lambda name, _: os.open(name, _FLAGS))  # noqa: SIM115
    try:
        _check_kind(os.fstat(file.fileno()).st_mode)  # another file may be there by now
    except UnsafeFileError:
        file.close()
        raise
    return file


def _check_kind(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise UnsafeFileError(errno.EINVAL, f"it is {_KINDS.get(stat.S_IFMT(mode), 'special')}, not a plain file")


def read_bounded(path: Path | str | bytes, limit: int = MAX_TEXT) -> bytes:
    """The bytes of a plain file; raises ``UnsafeFileError`` if it is something else, or larger than ``limit`` bytes."""
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise UnsafeFileError(errno.EFBIG, f"it is larger than {limit / 2**20:.0f} MB")
        data = file.read(size + 1)
    if len(data) > size:
        raise UnsafeFileError(errno.EAGAIN, "it grew while it was read")
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
