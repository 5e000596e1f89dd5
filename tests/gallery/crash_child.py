"""Do something to a gallery in fresh processes and kill them: at a call of the system, or after so many seconds.

One process imports everything once and forks for each line of JSON on stdin, so that a crash takes milliseconds. A
line: {task, gallery, photos, at, after, writers}. Each process is killed when it is about to make its ``at``-th call
that replaces, links, removes or flushes a file, or after ``after`` seconds; 0 is never. With two ``writers`` a second
process does the same at the same time, and is not killed. Prints for each line 1 if a process was killed, else 0.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sketchseek.gallery import Gallery, copying, ingest  # noqa: F401 - imported before forking
from sketchseek.gallery.embedded import index, index_files, verify  # noqa: F401 - imported before forking
from sketchseek.gallery.errors import GalleryBusyError
from tests.gallery.grid_model import GridModel

ROOT = Path(__file__).resolve().parents[2]
CALLS = ("replace", "rename", "unlink", "remove", "fsync", "link")
Crash = Callable[..., bool]


@contextmanager
def crasher() -> Iterator[Crash]:
    """crash(task, gallery, photos="", at=0, after=0, writers=1): whether it was killed."""
    command = [sys.executable, "-m", "tests.gallery.crash_child"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        written, read = process.stdin, process.stdout

        def crash(
            task: str, gallery: Path, photos: Path | str = "", *, at: int = 0, after: float = 0, writers: int = 1
        ) -> bool:
            line = {"task": task, "gallery": str(gallery), "photos": str(photos)}
            written.write(json.dumps({**line, "at": at, "after": after, "writers": writers}) + "\n")
            written.flush()
            answer = read.readline()
            assert answer in ("0\n", "1\n"), "a process ended with an error"
            return answer == "1\n"

        yield crash
        written.close()
        assert process.wait(30) == 0


# What is done to a gallery.


def add(gallery: str, photos: str, flavour: str = "plain") -> None:
    with Gallery.open(gallery, GridModel(flavour)) as opened:
        opened.add(photos, batch=4, threads=2)


def add_with_another_model(gallery: str, photos: str) -> None:
    add(gallery, photos, "other")


def remove(gallery: str, photos: str) -> None:
    with Gallery.open(gallery, GridModel()) as opened:
        opened.remove(photos)


def open_it(gallery: str, photos: str) -> None:
    Gallery.open(gallery, GridModel(), readonly=True).close()


def search(gallery: str, photos: str) -> None:
    with Gallery.open(gallery, GridModel(), readonly=True) as opened:
        opened.search(text="red", k=3)


def rebuild(gallery: str, photos: str) -> None:
    with Gallery.open(gallery, GridModel()) as opened:
        opened.rebuild()


def copy(gallery: str, photos: str) -> None:
    """To a gallery beside it."""
    with Gallery.open(gallery, GridModel()) as source, Gallery.open(f"{gallery}-copy", GridModel()) as target:
        copying.copy(source, target)


TASKS: dict[str, Callable[[str, str], None]] = {
    "add": add,
    "add with another model": add_with_another_model,
    "remove": remove,
    "open": open_it,
    "search": search,
    "rebuild": rebuild,
    "copy": copy,
}

# How it ends.


def run(task: str, gallery: str, photos: str, at: int, after: float, writers: int) -> bool:
    others = [_start(task, gallery, photos, 0) for _ in range(writers - 1)]
    child = _start(task, gallery, photos, at)
    status = _end(child, after)
    assert all(os.waitpid(other, 0)[1] == 0 for other in others), "the second process failed"
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the process failed"
    return os.WIFSIGNALED(status)


def _start(task: str, gallery: str, photos: str, at: int) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _kill_at(at)
            with suppress(GalleryBusyError):  # the other writer is not done
                TASKS[task](gallery, photos)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def _end(child: int, after: float) -> int:
    """Kill it after so many seconds: its status."""
    deadline = time.monotonic() + after
    while after and time.monotonic() < deadline:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status
        time.sleep(0.0003)
    if after:
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _kill_at(at: int) -> None:
    """Kill this process when it is about to make the ``at``-th of the calls, counted from 1."""
    left = [at]

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        return call

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    shutil.copyfile = counted(shutil.copyfile)


if __name__ == "__main__":
    for line in sys.stdin:
        print(int(run(**json.loads(line))), flush=True)
