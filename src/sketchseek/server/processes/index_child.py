"""The process that indexes for the server: python -m sketchseek.server.processes.index_child GALLERY MODEL FOLDER...

Each line on stdout is JSON: progress, an error in a sentence, or the end. It dies with the process that started it.
"""

import json
import os
import sys
import threading
from contextlib import suppress
from dataclasses import asdict

from sketchseek.errors import SketchseekError
from sketchseek.gallery import Gallery
from sketchseek.gallery.ingest import Progress


def main(gallery: str, model: str, folders: list[str]) -> None:
    """Index ``folders``; ``model`` is empty for the gallery's own."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with suppress(OSError, AttributeError):
        os.nice(10)  # searching comes first
    try:
        with Gallery.open(gallery, model or None) as opened:
            report = opened.add(folders, progress=_tell)
    except SketchseekError as error:
        _say({"error": str(error)})
    else:
        _say({"failed": len(report.failed)})


def _tell(progress: Progress) -> None:
    _say(asdict(progress))


def _say(what: dict[str, object]) -> None:
    print(json.dumps(what), flush=True)


def _die_with_parent() -> None:
    while os.read(0, 1):  # not through sys.stdin, whose lock would hold up our own end
        pass
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
