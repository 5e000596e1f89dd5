"""Indexing in a child process of low priority, which reports its progress and can be stopped.

Killing it is safe at any time: the gallery loses at most the current batch, and the next run continues.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sketchseek.errors import SketchseekError
from sketchseek.server.api.responses import IndexingStatus

COMMAND: tuple[str, ...] = (sys.executable, "-P", "-m", "sketchseek.server.processes.index_child")
STOP_TIMEOUT_S = 5  # before a process that does not stop is killed
KILL_TIMEOUT_S = 1  # for it to end then: one that waits for a drive ends only when the drive answers
RUNNING = ("downloading", "converting", "looking", "indexing")


_FRESH = IndexingStatus(
    state="idle", model=None, done=0, total=None, failed=0, photos_per_s=None, seconds=0.0, error=None
)


class Indexing:
    """At most one run at a time: ``start`` it, read its ``status``, ``stop`` it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._lock = threading.Lock()
        self._status = _FRESH
        self._started = 0.0
        self._run = 0  # number of the last run: the process of an earlier one may still be about to end
        self._last: tuple[Path | str, Sequence[Path], str | None, bool] | None = None  # arguments of the last run
        # Called with the model of a run that is complete, before the run counts as done; what it raises is shown.
        self.use_model: Callable[[str], None] = lambda _: None

    @property
    def status(self) -> IndexingStatus:
        with self._lock:
            running = self._status.state in RUNNING
            return self._status.model_copy(update={"seconds": time.monotonic() - self._started} if running else {})

    def start(self, gallery: Path | str, folders: Sequence[Path], model: str | None, *, retry: bool = False) -> bool:
        """Index ``folders``, or all that were indexed before; False if a run is in progress.

        ``model``: its name; None: the gallery's own. One that is not on this machine is downloaded first.
        ``retry``: open files again that failed before.
        """
        with self._lock:
            if self._status.state in RUNNING:
                return False
            self._started = time.monotonic()
            self._status = _FRESH.model_copy(update={"state": "looking", "model": model})
            self._last = gallery, folders, model, retry
            self._run += 1
        self._process = subprocess.Popen(  # noqa: S603
            [*COMMAND, str(gallery), model or "", *(["--retry"] if retry else []), *map(str, folders)],
            stdin=subprocess.PIPE,  # closes when this process dies, and then the child exits
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # a Ctrl-C in the terminal goes to the server, which then stops this
        )
        self._reader = threading.Thread(
            target=self._read_messages, args=(self._process, self._run), name="indexing", daemon=True
        )
        self._reader.start()
        return True

    def stop(self) -> None:
        """Stop the run; what it has committed stays."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        self._set(state="stopped")
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            with suppress(subprocess.TimeoutExpired):  # the thread that reads its messages waits for its end
                process.wait(KILL_TIMEOUT_S)

    def resume(self) -> bool:
        """Start the run again that was stopped; False if none was."""
        if self.status.state != "stopped" or self._last is None:
            return False
        gallery, folders, model, retry = self._last
        return self.start(gallery, folders, model, retry=retry)

    def kill(self) -> None:
        """End the run at once; what it has committed stays."""
        if self._process is not None:
            self._process.kill()

    def _read_messages(self, process: subprocess.Popen[str], run: int) -> None:
        assert process.stdout and process.stdin
        with process.stdout, process.stdin:
            for line in process.stdout:
                if run == self._run:
                    self._handle(json.loads(line))
        code = process.wait()
        if run == self._run and self.status.state in RUNNING:
            self._set(state="failed", error=f"indexing ended unexpectedly (code {code}); start the server again.")

    def _handle(self, message: dict[str, Any]) -> None:
        if "error" in message:
            self._set(state="failed", error=message["error"])
        elif "getting" in message:
            downloading = message["getting"] is not None
            self._set(
                state="downloading" if downloading else "converting",
                done=message["getting"] or 0,
                total=message["total"] if downloading else None,
            )
        elif "total" not in message:
            self._finish()
        else:
            speed = message["done"] / message["seconds"] if message["done"] and message["seconds"] else None
            self._set(
                state="indexing",
                done=message["done"],
                total=message["total"],
                failed=message["failed"],
                photos_per_s=speed and round(speed, 1),
            )

    def _finish(self) -> None:
        try:
            if (model := self.status.model) is not None:
                self.use_model(model)
        except SketchseekError as error:
            self._set(state="failed", error=str(error))
        else:
            self._set(state="done", seconds=time.monotonic() - self._started)

    def _set(self, **changes: Any) -> None:
        with self._lock:
            if self._status.state != "stopped":
                self._status = self._status.model_copy(update=changes)
