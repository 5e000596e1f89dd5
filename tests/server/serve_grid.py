"""The command line with the small test model, also in the process that indexes: python serve_grid.py serve ...

The model that ships works as well. A model called grid-slow takes a while for every batch of photos, and for every
drawing. SERVE_GRID_HEAD_S says how long the head of a request may take, SERVE_GRID_READ_S how long reading a photo's
file, SERVE_GRID_WRITE_S how long a client may take no bytes; SERVE_GRID_FILES how many descriptors the server may have,
SERVE_GRID_SEARCHES how many searches it takes at once.
"""

import os
import resource
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import sketchseek.engine.models
from sketchseek.cli import main
from sketchseek.engine.models import DEFAULT
from sketchseek.errors import SketchseekError
from sketchseek.server import http_server, start
from sketchseek.server.processes import index_child, indexing
from sketchseek.server.protection.limits import Limits
from tests.gallery.grid_model import GridModel

PHOTOS_S = 0.6  # long enough for a busy machine to do something meanwhile
DRAWINGS_S = 0.2


class SlowModel(GridModel):
    def encode_photos(self, photos: Any) -> Any:
        time.sleep(PHOTOS_S)
        return super().encode_photos(photos)

    def encode_sketches(self, sketches: Any) -> Any:
        time.sleep(DRAWINGS_S)
        return super().encode_sketches(sketches)


def load(source: str | Path) -> Any:
    name = str(source)
    if name == DEFAULT:
        return load_model(name)
    if not name.startswith("grid-"):
        raise SketchseekError(f"no model {name!r}")
    return SlowModel("slow") if name == "grid-slow" else GridModel(name.removeprefix("grid-"))


load_model = sketchseek.engine.models.load_search_model
sketchseek.engine.models.load_search_model = load  # type: ignore[assignment]
http_server.HEAD_TIMEOUT_S = float(os.environ.get("SERVE_GRID_HEAD_S", http_server.HEAD_TIMEOUT_S))
http_server.WRITE_TIMEOUT_S = float(os.environ.get("SERVE_GRID_WRITE_S", http_server.WRITE_TIMEOUT_S))
if "SERVE_GRID_FILES" in os.environ:
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(os.environ["SERVE_GRID_FILES"]),) * 2)
start.Limits = partial(  # type: ignore[assignment, attr-defined]
    Limits,
    read_seconds=float(os.environ.get("SERVE_GRID_READ_S", "10")),
    searches=int(os.environ.get("SERVE_GRID_SEARCHES", Limits().searches)),
)
indexing.COMMAND = (sys.executable, __file__, "index-child")

if __name__ == "__main__":
    if sys.argv[1] == "index-child":
        index_child.main(sys.argv[2], sys.argv[3], sys.argv[4:])
    else:
        main(sys.argv[1:])
