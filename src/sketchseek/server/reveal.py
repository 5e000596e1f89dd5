"""Show a photo in the file manager of this machine."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def revealer() -> Callable[[Path], None] | None:
    """A function that shows a file in its folder; None if there is no desktop here."""
    if sys.platform == "darwin":
        return lambda path: _start(["open", "-R", str(path)])
    if sys.platform == "win32":
        return lambda path: _start(["explorer", f"/select,{path}"])
    program = shutil.which("xdg-open")
    if program is None or not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return None
    return lambda path: _start([program, str(path.parent)])


def _start(command: list[str]) -> None:
    """Start a program that outlives the request; what it prints is dropped."""
    subprocess.Popen(  # noqa: S603 - a program of the system, and a path of the gallery
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
