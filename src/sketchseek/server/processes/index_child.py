"""The process that indexes for the server: python -m ....index_child GALLERY MODEL [--retry] FOLDER...

Each line on stdout is a JSON object: progress, an error message, or the result. It exits with its parent process.
"""

import json
import os
import sys
import threading
from contextlib import suppress
from dataclasses import asdict

from sketchseek.engine.get import get_model, is_missing
from sketchseek.errors import SketchseekError
from sketchseek.gallery import Gallery


def main(gallery: str, model: str, folders: list[str]) -> None:
    """Index ``folders``, or all that were indexed before; an empty ``model`` is the gallery's own.

    A published model that is not on this machine is downloaded first. If the first of ``folders``, which are absolute,
    is ``--retry``, files that failed before are opened again.
    """
    retry = folders[:1] == ["--retry"]
    folders = folders[retry:]
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    with suppress(OSError, AttributeError):
        os.nice(10)  # searches have priority
    try:
        if model and is_missing(model):
            model = get_model(model, report=_write_download).name
        with Gallery.open(gallery, model or None) as opened:
            report = opened.add(folders or None, retry=retry, progress=lambda progress: _write(asdict(progress)))
    except SketchseekError as error:
        _write({"error": str(error)})
    else:
        _write({"failed": len(report.failed)})


def _write_download(what: str, done: int, total: int) -> None:
    downloading = what.startswith("downloading")
    _write({"getting": done, "total": total} if downloading else {"getting": None})


def _write(message: dict[str, object]) -> None:
    try:
        print(json.dumps(message), flush=True)
    except BrokenPipeError:
        os._exit(1)  # the server has ended


def _exit_with_parent() -> None:
    while os.read(0, 1):  # not sys.stdin: its lock would delay the exit of this process
        pass
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
