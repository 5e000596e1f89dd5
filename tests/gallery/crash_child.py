"""Do something to a gallery in fresh processes and kill them: at a call of the system, or after so many seconds.

One process imports everything once and forks for each line of JSON on stdin, so that a crash takes milliseconds. A
line: {task, gallery, photos, at, after, fault, writers}. The process is killed when it is about to make its ``at``-th
call that replaces, links, removes or flushes a file, or after ``after`` seconds; 0 is never. With a ``fault`` it is not
killed, but has this fault from then on. With two ``writers`` a second process does the same at the same time, unharmed.
Prints for each line 1 if the process was killed or had the fault, else 0.
"""

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sketchseek.errors import SketchseekError
from sketchseek.gallery import Gallery, copying
from sketchseek.gallery.errors import GalleryBusyError
from tests.gallery import faults
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import jpeg, png, put

ROOT = Path(__file__).resolve().parents[2]
CALLS = ("replace", "rename", "unlink", "remove", "fsync", "link")
Crash = Callable[..., bool]


@contextmanager
def crasher() -> Iterator[Crash]:
    """crash(task, gallery, photos="", at=0, after=0, fault="", writers=1): whether it was killed or had the fault."""
    command = [sys.executable, "-m", "tests.gallery.crash_child"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        written, read = process.stdin, process.stdout

        def crash(
            task: str,
            gallery: Path,
            photos: Path | str = "",
            *,
            at: int = 0,
            after: float = 0,
            fault: str = "",
            writers: int = 1,
        ) -> bool:
            line = {"task": task, "gallery": str(gallery), "photos": str(photos)}
            how = {"at": at, "after": after, "fault": fault, "writers": writers}
            written.write(json.dumps(line | how) + "\n")
            written.flush()
            answer = read.readline().strip()
            assert answer in ("0", "1"), answer or "the helper ended"
            return answer == "1"

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

HAD_FAULT = 9  # the code of a process that ended as it should in spite of it


def run(task: str, gallery: str, photos: str, at: int, after: float, fault: str, writers: int) -> bool:
    others = [_start(task, gallery, photos) for _ in range(writers - 1)]
    child = _start(task, gallery, photos, at, fault, after)
    status = os.waitpid(child, 0)[1] if fault else _end(child, after)
    assert all(os.waitpid(other, 0)[1] == 0 for other in others), "the second process failed"
    struck = os.WIFSIGNALED(status) if not fault else os.waitstatus_to_exitcode(status) == HAD_FAULT
    assert struck or status == 0, "the process failed"
    return struck


def _start(task: str, gallery: str, photos: str, at: int = 0, fault: str = "", after: float = 0) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _kill_at(at)
            has_begun = faults.begin(fault, after) if fault else lambda: False
            try:
                TASKS[task](gallery, photos)
            except GalleryBusyError:  # the other writer is not done
                pass
            except SketchseekError as error:
                if not has_begun() or "\n" in str(error):
                    raise
            code = HAD_FAULT if has_begun() else 0
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


def import_all() -> None:
    """Import what the tasks need, so that forks do not, by a fork that does them and says what it has imported."""
    with tempfile.TemporaryDirectory() as folder:
        put(Path(folder) / "photos" / "a.png", png(1))
        put(Path(folder) / "photos" / "b.jpg", jpeg(1))
        child = os.fork()
        if child == 0:
            for task in TASKS.values():
                task(f"{folder}/gallery", f"{folder}/photos")
            (Path(folder) / "modules").write_text("\n".join(sorted(sys.modules)))
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        for name in (Path(folder) / "modules").read_text().splitlines():
            if name.startswith("sketchseek") or "." not in name or name.startswith(("PIL.", "numpy.", "faiss.")):
                with suppress(ImportError):
                    importlib.import_module(name)


if __name__ == "__main__":
    import_all()
    for line in sys.stdin:
        try:
            print(int(run(**json.loads(line))), flush=True)
        except AssertionError as error:
            print(error, flush=True)
