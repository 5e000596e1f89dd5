"""A cache of thumbnails on disk, keyed by the content of a photo, so an entry is never out of date."""

import logging
import os
import tempfile
import threading
import time
from pathlib import Path

log = logging.getLogger(__name__)

FULL_SIDE = 4096  # px, longer side of the JPEG sent for a photo in a format that browsers cannot show
DAY_S = 86_400
KEPT_SHARE = 0.9  # of the limit, after the oldest files are deleted


class Thumbnails:
    """JPEGs by (photo id, longer side in px), at most ``limit`` bytes; the least recently used are deleted first."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self._bytes: int | None = None  # None: not counted yet
        self._lock = threading.Lock()

    def get(self, id: str, side: int) -> bytes | None:
        """The JPEG, or None if it is not cached."""
        path = self._path(id, side)
        try:
            data = path.read_bytes()
            if time.time() - path.stat().st_mtime > DAY_S:
                os.utime(path)
        except OSError:
            return None
        return data or None

    def put(self, id: str, side: int, data: bytes) -> None:
        """Store a JPEG; on a full disk it is made again on every request."""
        path = self._path(id, side)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".new", delete=False) as file:
                file.write(data)
            Path(file.name).replace(path)
        except OSError as error:
            log.warning("the thumbnail folder %s cannot be written to (%s)", self.folder, error.strerror)
            return
        with self._lock:
            if self._bytes is None:
                self._bytes = sum(size for _, size, _ in self._files())
            else:
                self._bytes += len(data)
            if self._bytes > self.limit:
                self._bytes = self._delete_oldest()

    def _path(self, id: str, side: int) -> Path:
        return self.folder / id[:2] / f"{id}-{side}.jpg"

    def _files(self) -> list[tuple[float, int, Path]]:
        """(time of last use, bytes, path) of every cached file."""
        files = []
        for path in self.folder.glob("*/*"):
            try:
                status = path.stat()
            except OSError:  # another server deleted it
                continue
            files.append((status.st_mtime, status.st_size, path))
        return files

    def _delete_oldest(self) -> int:
        """Bytes left."""
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total <= self.limit * KEPT_SHARE:
                break
            path.unlink(missing_ok=True)
            total -= size
        return total
