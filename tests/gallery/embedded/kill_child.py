"""Do something to a gallery in a fresh process and kill it at a call of the system; lines of JSON on stdin.

A line: {gallery, task, at}: the process is killed when it is about to make its ``at``-th call that replaces, links,
removes or flushes a file. Everything is imported once and each line forks. Prints for each line 1 if the child was
killed, 0 if it ended before.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from typing import Any

from sketchseek.gallery import Gallery, ingest  # noqa: F401 - imported before forking
from sketchseek.gallery.embedded import index, index_files, verify  # noqa: F401 - imported before forking
from tests.gallery.grid_model import GridModel

CALLS = ("replace", "rename", "unlink", "remove", "fsync", "link")


def kill_at(at: int) -> None:
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


def open_it(gallery: str) -> None:
    Gallery.open(gallery, GridModel(), readonly=True).close()


def search(gallery: str) -> None:
    with Gallery.open(gallery, GridModel(), readonly=True) as opened:
        opened.search(text="red", k=3)


def rebuild(gallery: str) -> None:
    with Gallery.open(gallery, GridModel()) as opened:
        opened.rebuild()


TASKS = {"open": open_it, "search": search, "rebuild": rebuild}


def run(gallery: str, task: str, at: int) -> bool:
    child = os.fork()
    if child == 0:
        kill_at(at)
        TASKS[task](gallery)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the child failed"
    return os.WIFSIGNALED(status)


if __name__ == "__main__":
    for line in sys.stdin:
        print(int(run(**json.loads(line))), flush=True)
