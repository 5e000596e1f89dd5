"""Replace the database of a gallery by one rename, so that a kill at any moment leaves the old one or the new one.

The new database is written to ``.new`` and, when it is complete and flushed, renamed to ``.ready``: from then on it
takes the place of the old one, now or when the gallery is next opened. A log beside the old database must not meet the
new one, so it is deleted before the last rename; all that it held is in the new database.
"""

import os
import shutil
from pathlib import Path

DATABASE = "gallery.sqlite"


def beside(folder: Path, suffix: str) -> Path:
    """A file beside the database: ``gallery.sqlite`` and a suffix."""
    return folder / (DATABASE + suffix)


def put_in_place(folder: Path, *, keep_old: bool) -> None:
    """Replace the database by the complete ``.new``; ``keep_old``: keep the old one as ``.damaged``.

    The caller holds the write lock and has closed its connections.
    """
    if keep_old:
        _keep(beside(folder, ""), beside(folder, ".damaged"))
    new = beside(folder, ".new")
    flush(new)
    new.replace(beside(folder, ".ready"))
    flush(folder)
    _finish(folder)


def was_interrupted(folder: Path) -> bool:
    """Whether a process was killed while it replaced the database."""
    if beside(folder, ".ready").exists():
        return True
    # Before format 3 the old database was renamed first, and the new one was complete by then.
    return not beside(folder, "").exists() and beside(folder, ".damaged").exists() and beside(folder, ".new").exists()


def recover(folder: Path) -> None:
    """Finish a replacement that was interrupted, or remove what was begun; the caller holds the write lock."""
    if was_interrupted(folder):
        if not beside(folder, ".ready").exists():
            beside(folder, ".new").replace(beside(folder, ".ready"))
        _finish(folder)
    remove_unfinished(folder)


def remove_unfinished(folder: Path) -> None:
    """Remove a new database that is not complete, and copies of the old one."""
    for suffix in (".new", ".copy"):
        for more in ("", "-wal", "-shm", "-journal"):
            beside(folder, suffix + more).unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Return when a file, or the names in a folder, are on the disk."""
    if path.is_dir() and os.name == "nt":  # folders cannot be opened there
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _finish(folder: Path) -> None:
    for suffix in ("-wal", "-shm"):
        beside(folder, suffix).unlink(missing_ok=True)
    beside(folder, ".ready").replace(beside(folder, ""))
    flush(folder)


def _keep(old: Path, kept: Path) -> None:
    kept.unlink(missing_ok=True)
    try:
        os.link(old, kept)
    except OSError:  # file systems without hard links
        shutil.copyfile(old, kept)
