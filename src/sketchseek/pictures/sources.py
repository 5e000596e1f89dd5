"""Open a picture's source: bytes or a plain file, and nothing that could block or grow without limit."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sketchseek.pictures.errors import PictureError
from sketchseek.untrusted import UnsafeFileError, open_plain
from sketchseek.wording import shown

Source = Path | str | bytes

MAX_FILE_BYTES = 512 * 2**20
MAX_NAME = 300  # characters of a name in a message


def file_name(source: Source, name: str | None) -> str:
    """``name``, else the path; empty for bytes without a name."""
    return name if name is not None else "" if isinstance(source, bytes) else str(source)


def display_name(source: Source, name: str | None) -> str:
    """The source's name in messages."""
    return "picture" if name is None and isinstance(source, bytes) else shown(file_name(source, name), MAX_NAME)


@contextmanager
def open_source(source: Source, name: str) -> Iterator[BinaryIO]:
    """The source as a seekable stream; a ``PictureError`` if it is empty, too large or not a plain file."""
    stream = io.BytesIO(source) if isinstance(source, bytes) else _open_file(source, name)
    with stream, _readable(name):
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        if size == 0:
            raise PictureError(name, "the file is empty")
        if size > MAX_FILE_BYTES:
            raise PictureError(
                name, f"{size / 2**20:.0f} MB are over the limit of {MAX_FILE_BYTES // 2**20} MB for a picture file"
            )
        yield stream


def read_text(stream: BinaryIO, name: str, limit: int) -> str:
    """The whole text of a file (SVG, JSON) of up to ``limit`` bytes."""
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise PictureError(name, f"is over the limit of {limit // 2**20} MB for a drawing in a text format")
    try:
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        raise PictureError(name, "is not text in UTF-8") from None


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # a disk or a network that fails halfway
        raise PictureError(name, f"cannot be read ({error.strerror or error})") from None


def _open_file(path: Path | str, name: str) -> BinaryIO:
    try:
        return open_plain(path)
    except UnsafeFileError as error:
        raise PictureError(name, str(error.strerror).removeprefix("it ")) from None
    except FileNotFoundError:
        raise PictureError(name, "there is no such file") from None
    except PermissionError:
        raise PictureError(name, "permission to read it is denied") from None
    except OSError as error:
        raise PictureError(name, f"cannot be opened ({error.strerror or error})") from None
    except ValueError as error:  # a NUL byte or a lone surrogate in the name
        raise PictureError(name, f"is not a possible file name ({error})") from None
