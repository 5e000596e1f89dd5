"""Indexing beside the server: a process of its own, of low priority, that tells how far it is and may be stopped.

Killing it at any moment is safe: the gallery loses at most the batch in flight, and the next run goes on.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sketchseek.server.api.answers import Indexing as Answer

COMMAND = (sys.executable, "-m", "sketchseek.server.processes.index_child")
KEEP_S = 5  # for the process to end after it was told to


class Indexing:
    """At most one run: ``start``, look at ``now``, ``stop``."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._lock = threading.Lock()
        self._now = Answer(state="idle", done=0, total=None, failed=0, photos_per_s=None, seconds=0.0, error=None)
        self._started = 0.0

    @property
    def now(self) -> Answer:
        with self._lock:
            running = self._now.state in ("looking", "indexing")
            return self._now.model_copy(update={"seconds": time.monotonic() - self._started} if running else {})

    def start(self, gallery: Path | str, folders: Sequence[Path], model: str | None) -> None:
        """Take ``folders`` into the gallery with the model of this name; None: the gallery's own."""
        self._started = time.monotonic()
        self._set(state="looking")
        self._process = subprocess.Popen(  # noqa: S603
            [*COMMAND, str(gallery), model or "", *map(str, folders)],
            stdin=subprocess.PIPE,  # when this process dies, it closes, and the other one ends
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # a Ctrl-C in the terminal is for the server, which then stops this
        )
        self._reader = threading.Thread(target=self._listen, args=(self._process,), name="indexing", daemon=True)
        self._reader.start()

    def stop(self) -> None:
        """End a run; what was committed stays."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        self._set(state="stopped")
        process.terminate()
        try:
            process.wait(KEEP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout and process.stdin
        with process.stdout, process.stdin:
            for line in process.stdout:
                self._hear(json.loads(line))
        code = process.wait()
        if self.now.state in ("looking", "indexing"):
            self._set(state="failed", error=f"indexing ended unexpectedly (code {code}); start the server again.")

    def _hear(self, said: dict[str, Any]) -> None:
        if "error" in said:
            self._set(state="failed", error=said["error"])
        elif "total" not in said:
            self._set(state="done", seconds=time.monotonic() - self._started)
        else:
            speed = said["done"] / said["seconds"] if said["done"] and said["seconds"] else None
            self._set(
                state="indexing",
                done=said["done"],
                total=said["total"],
                failed=said["failed"],
                photos_per_s=speed and round(speed, 1),
            )

    def _set(self, **changes: Any) -> None:
        with self._lock:
            if self._now.state != "stopped":
                self._now = self._now.model_copy(update=changes)
