"""The command line with the small test model, also in the process that indexes: python serve_grid.py serve ..."""

import sys

import sketchseek.gallery.models
import sketchseek.model
from sketchseek.cli import main
from sketchseek.server import index_child, indexing
from tests.gallery.grid_model import GridModel

sketchseek.model.load_search_model = lambda name: GridModel(name.removeprefix("grid-"))
indexing.COMMAND = (sys.executable, __file__, "index-child")

if __name__ == "__main__":
    if sys.argv[1] == "index-child":
        index_child.main(sys.argv[2], sys.argv[3], sys.argv[4:])
    else:
        main(sys.argv[1:])
