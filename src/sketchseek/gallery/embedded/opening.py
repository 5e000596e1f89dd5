"""What is done when a gallery is opened (finish what a killed process left, migrate an earlier format) and closed."""

import logging
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from sketchseek.gallery.embedded.catalogue import Catalogue, connect
from sketchseek.gallery.embedded.replacement import beside, recover, was_interrupted
from sketchseek.gallery.embedded.salvage import renew
from sketchseek.gallery.embedded.schema import FORMAT
from sketchseek.gallery.embedded.sqlite_errors import as_gallery_errors
from sketchseek.gallery.embedded.writer import write_lock
from sketchseek.gallery.errors import GalleryBusyError, GalleryError, GalleryOutdatedError, NoGalleryError
from sketchseek.wording import shown

log = logging.getLogger(__name__)


def prepare(folder: Path) -> None:
    """Make a gallery ready to be written; the caller holds the write lock."""
    with as_gallery_errors(folder):
        recover(folder)
    try:
        Catalogue(folder).close()
    except NoGalleryError:
        return
    except GalleryOutdatedError:
        problem = renew(folder)
        log.info("the gallery %s was migrated to format %d", shown(folder), FORMAT)
        if problem:
            log.warning("%s", problem.what)


def open_catalogue(folder: Path) -> Catalogue:
    """Open a gallery for reading; if it has to be made ready first, that requires permission to write."""
    if was_interrupted(folder):
        _try_to_prepare(folder)
    try:
        return Catalogue(folder)
    except GalleryOutdatedError:
        if not _try_to_prepare(folder):
            raise
    return Catalogue(folder)


def tidy(folder: Path) -> None:
    """Remove the log beside the database, which a reader cannot do, unless another process still needs it."""
    if not beside(folder, "-wal").exists() or not os.access(folder, os.W_OK):
        return
    # Without the lock the database could be replaced meanwhile, and its successor's log removed.
    with suppress(GalleryError, sqlite3.Error), write_lock(folder, wait=0):
        if not was_interrupted(folder):
            with closing(connect(beside(folder, "").absolute().as_uri())) as db:
                db.execute("PRAGMA busy_timeout = 0")
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _try_to_prepare(folder: Path) -> bool:
    try:
        with write_lock(folder):
            prepare(folder)
    except GalleryBusyError:
        raise
    except GalleryError:  # no permission, or no space
        return False
    return True
