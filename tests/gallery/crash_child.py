"""Index a folder in a fresh process and kill it after so many seconds: lines of JSON {gallery, photos, after} on stdin.

One process imports everything once and forks for each line, so that fifty crashes take seconds. Prints for each
line 1 if the child was killed, 0 if it had ended before.
"""

import json
import os
import signal
import sys
import time

from sketchseek.gallery import Gallery, ingest  # noqa: F401 - imported before forking
from sketchseek.gallery.embedded import index, index_files  # noqa: F401 - imported before forking
from tests.gallery.grid_model import GridModel


def run(gallery: str, photos: str, after: float) -> bool:
    child = os.fork()
    if child == 0:
        with Gallery.open(gallery, GridModel()) as opened:
            opened.add(photos, batch=4, threads=2)
        os._exit(0)
    deadline = time.monotonic() + after
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.0003)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


for line in sys.stdin:
    print(int(run(**json.loads(line))), flush=True)
