"""Small pictures on disk, made once: named by a photo's content, so they are never out of date."""

import logging
import os
import tempfile
import threading
import time
from pathlib import Path

log = logging.getLogger(__name__)

WHOLE = 4096  # px, the longer side of a picture that stands for a photo no browser shows
DAY_S = 86_400
KEPT = 0.9  # of the limit, after the oldest were deleted


class Thumbnails:
    """JPEGs by (photo id, longest side), the least recently used deleted first."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self._bytes: int | None = None  # not counted yet
        self._lock = threading.Lock()

    def get(self, id: str, side: int) -> bytes | None:
        """None if it is not there."""
        path = self._path(id, side)
        try:
            data = path.read_bytes()
            if time.time() - path.stat().st_mtime > DAY_S:
                os.utime(path)
        except OSError:
            return None
        return data or None

    def put(self, id: str, side: int, data: bytes) -> None:
        """Keep it if the disk takes it; a full disk costs time, not pictures."""
        path = self._path(id, side)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".new", delete=False) as file:
                file.write(data)
            Path(file.name).replace(path)
        except OSError as error:
            log.warning("the thumbnail folder %s cannot be written (%s)", self.folder, error.strerror)
            return
        with self._lock:
            if self._bytes is None:
                self._bytes = sum(size for _, size, _ in self._files())
            else:
                self._bytes += len(data)
            if self._bytes > self.limit:
                self._bytes = self._tidy()

    def _path(self, id: str, side: int) -> Path:
        return self.folder / id[:2] / f"{id}-{side}.jpg"

    def _files(self) -> list[tuple[float, int, Path]]:
        """(time of use, bytes, path) of all that is there."""
        files = []
        for path in self.folder.glob("*/*"):
            try:
                status = path.stat()
            except OSError:  # another server deleted it
                continue
            files.append((status.st_mtime, status.st_size, path))
        return files

    def _tidy(self) -> int:
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total <= self.limit * KEPT:
                break
            path.unlink(missing_ok=True)
            total -= size
        return total
