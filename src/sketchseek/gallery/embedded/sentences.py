"""TODO."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sketchseek.gallery.errors import GalleryBusyError, GalleryDamagedError, GalleryError
from sketchseek.wording import shown

# What SQLite says of a file that is not as we wrote it: our statements fit our tables, and keep their rules.
DAMAGE = frozenset(
    (
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_TOOBIG,
    )
)


@contextmanager
def plain_words(folder: Path, *, system: bool = True) -> Iterator[None]:
    """Say what SQLite and, unless told otherwise, the system complain about as one sentence about the gallery."""
    try:
        yield
    except sqlite3.Error as error:
        raise _sentence(folder, error) from error
    except UnicodeDecodeError as error:  # SQLite quotes damaged text in its message
        if not system:
            raise
        raise damaged(folder, "its tables are not as they were made") from error
    except OSError as error:
        if not system:
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise _full(folder) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise _unwritable(folder) from error
        raise


def _sentence(folder: Path, error: sqlite3.Error) -> GalleryError:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF  # the low byte is the kind, the rest refines it
    if code in DAMAGE:
        return damaged(folder, shown(str(error)))
    if code == sqlite3.SQLITE_FULL:
        return _full(folder)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return _unwritable(folder)
    if code == sqlite3.SQLITE_BUSY:
        return GalleryBusyError(
            f"the gallery {shown(folder)} is being written by another process; try again when it has ended."
        )
    return GalleryError(
        f"the gallery {shown(folder)} cannot be read or written ({error}); is its disk full or failing? What "
        "was committed is kept."
    )


def damaged(folder: Path, what: str) -> GalleryDamagedError:
    """About a database that cannot be believed."""
    return GalleryDamagedError(
        f"the database of the gallery {shown(folder)} is damaged ({what}); `sketchseek gallery rebuild` keeps all "
        "that can still be read, and the next `sketchseek index` looks at the rest again."
    )


def _full(folder: Path) -> GalleryError:
    return GalleryError(
        f"no space is left for the gallery {shown(folder)}; free some and run the command again: what was "
        "committed is kept."
    )


def _unwritable(folder: Path) -> GalleryError:
    return GalleryError(
        f"the gallery {shown(folder)} cannot be opened for writing; check its permissions, or name another "
        "one with --gallery."
    )
