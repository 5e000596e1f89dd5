"""Read files that strangers made: plain files of a bounded size, strict JSON, arrays that are never unpickled."""

import errno
import json
import math
import os
import stat
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

MAX_TEXT = 16 * 2**20  # bytes of a file of settings: JSON, TOML, a list
MAX_DIGITS = 300  # of a whole number in JSON: more do not fit into a float

# Without O_NONBLOCK, opening a pipe would wait forever for a writer.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


_DAMAGED = "cannot be read, it is damaged or locked; write it again with numpy.savez"


class ArraysError(ValueError):
    """Why an .npz file is not read; the message continues a sentence that begins with the name of the file."""


def read_bounded(path: Path, limit: int = MAX_TEXT) -> bytes:
    """The bytes of a plain file; raises ``OSError`` if it is something else, or larger than ``limit`` bytes."""
    with os.fdopen(os.open(path, _FLAGS), "rb") as file:
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


def read_arrays(
    source: Path | BinaryIO, *, limit: int, names: Collection[str] | None = None
) -> dict[str, NDArray[np.generic]]:
    """The arrays of an .npz file, by name; those of ``names`` only, unless it is None. Raises ``ArraysError``.

    ``limit``: the most bytes that these arrays may unpack to, because a small file can unpack to any size.
    """
    try:
        archive = zipfile.ZipFile(source)
    except OSError:
        raise ArraysError(_DAMAGED) from None
    except Exception:  # zipfile, zlib and numpy raise almost every class on damaged data
        raise ArraysError("is not an .npz file; write it with numpy.savez") from None
    with archive:
        members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        wanted = [name for name in (members if names is None else names) if name in members]
        # zipfile never unpacks more than the size in its directory, so checking that size is enough.
        size = sum(members[name].file_size for name in wanted)
        if size > limit:
            raise ArraysError(
                f"unpacks to {size / 1e9:.1f} GB, more than the limit of {limit / 1e9:.1f} GB; split the file or use"
                " float32"
            )
        return {name: _array(archive, members[name]) for name in wanted}


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[np.generic]:
    # The others unpack a block of any size at once; numpy.savez never uses them.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArraysError("is compressed in an unusual way; write it with numpy.savez")
    try:
        with archive.open(member) as stream:
            array: NDArray[np.generic] = np.lib.format.read_array(stream, allow_pickle=False)
    except Exception as error:  # almost every class, see above
        if "allow_pickle" in str(error):
            raise ArraysError(
                "holds an array of Python objects, which is never opened; convert words with astype(str)"
            ) from None
        raise ArraysError(_DAMAGED) from None
    return array
