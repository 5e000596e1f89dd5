"""Errors of SQLite and of the system, as errors about the gallery."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sketchseek.gallery.errors import GalleryBusyError, GalleryDamagedError, GalleryError
from sketchseek.wording import shown

# Errors that mean a damaged file: on an undamaged one, our statements match our tables and their constraints.
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
def as_gallery_errors(folder: Path, *, system_errors: bool = True) -> Iterator[None]:
    """Raise errors of SQLite and, with ``system_errors``, of the system as a ``GalleryError`` of one sentence."""
    try:
        yield
    except sqlite3.Error as error:
        raise _gallery_error(folder, error) from error
    except UnicodeDecodeError as error:  # SQLite quotes damaged text in its message
        if not system_errors:
            raise
        raise damaged(folder, "its tables have changed since they were made") from error
    except OSError as error:
        if not system_errors:
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise _no_space(folder) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise _unwritable(folder) from error
        raise _failing(folder, error.strerror or str(error)) from error


def _gallery_error(folder: Path, error: sqlite3.Error) -> GalleryError:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF  # the low byte is the kind, the rest a detail
    if code in DAMAGE:
        return damaged(folder, shown(str(error)))
    if code == sqlite3.SQLITE_FULL:
        return _no_space(folder)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return _unwritable(folder)
    if code == sqlite3.SQLITE_BUSY:
        return busy(folder)
    return _failing(folder, str(error))


def damaged(folder: Path, what: str) -> GalleryDamagedError:
    """The error about a damaged database; ``what``: what is wrong with it."""
    return GalleryDamagedError(
        f"the database of the gallery {shown(folder)} is damaged ({what}); `sketchseek gallery rebuild` keeps all "
        "that can still be read, and the next `sketchseek index` reads the other photos again."
    )


def busy(folder: Path) -> GalleryBusyError:
    """The error about a database that cannot be read or written at the moment."""
    return GalleryBusyError(
        f"the gallery {shown(folder)} is being written by another process; try again when it has finished."
    )


def _no_space(folder: Path) -> GalleryError:
    return GalleryError(
        f"no space is left for the gallery {shown(folder)}; free some and run the command again: what was "
        "committed is kept."
    )


def _unwritable(folder: Path) -> GalleryError:
    return GalleryError(
        f"the gallery {shown(folder)} cannot be opened for writing; check its permissions, or name another "
        "one with --gallery."
    )


def _failing(folder: Path, what: str) -> GalleryError:
    return GalleryError(
        f"the gallery {shown(folder)} cannot be read or written ({what}); is its disk full or failing? What was "
        "committed is kept."
    )
