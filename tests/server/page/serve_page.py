"""The command line with the small test model that can also explain: serve_page.py serve ..."""

import sys

import sketchseek.engine.models
import sketchseek.gallery.models
from sketchseek.cli import main
from sketchseek.server.processes import index_child, indexing
from tests.server.patch_model import PatchModel


def load(name: str) -> PatchModel:
    return PatchModel()


sketchseek.engine.models.load_search_model = load  # type: ignore[assignment]
indexing.COMMAND = (sys.executable, __file__, "index-child")

if __name__ == "__main__":
    if sys.argv[1] == "index-child":
        index_child.main(sys.argv[2], sys.argv[3], sys.argv[4:])
    else:
        main(sys.argv[1:])
