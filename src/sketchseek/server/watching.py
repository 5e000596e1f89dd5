"""Follow the gallery's folders while the server runs: index them after each change, and from time to time."""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from sketchseek.errors import SketchseekError
from sketchseek.gallery.watch import ticks

log = logging.getLogger(__name__)

RETRY_S = 1.0  # between two tries to index while another run is in progress, or no folder can be reached


class Watching:
    """Off until ``start``. ``folders``: those of the gallery now. ``index``: start a run; False if it has to wait."""

    def __init__(self, gallery: Path | str, folders: Callable[[], Sequence[Path]], index: Callable[[], bool]) -> None:
        self._gallery, self._folders, self._index = gallery, folders, index
        self._stop: threading.Event | None = None
        self._lock = threading.Lock()

    @property
    def on(self) -> bool:
        return self._stop is not None

    def start(self) -> None:
        with self._lock:
            if self._stop is None:
                self._stop = threading.Event()
                threading.Thread(target=self._follow, args=(self._stop,), name="watching", daemon=True).start()

    def stop(self) -> None:
        with self._lock:
            if self._stop is not None:
                self._stop.set()
                self._stop = None

    def _follow(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                if folders := self._present():
                    self._index_when_due(folders, stop)
                else:
                    stop.wait(RETRY_S)
            except (
                OSError,
                RuntimeError,
                SketchseekError,
            ) as error:  # of a drive that went away, or too many folders to watch
                log.warning("folders cannot be watched (%s); trying again", error)
                stop.wait(RETRY_S)

    def _index_when_due(self, folders: Sequence[Path], stop: threading.Event) -> None:
        """Until the folders of the gallery are others."""
        for due in ticks(self._gallery, folders, stop):
            while due and not stop.is_set() and not self._index():
                stop.wait(RETRY_S)
            if self._present() != folders:
                return

    def _present(self) -> list[Path]:
        return [folder for folder in self._folders() if folder.is_dir()]
