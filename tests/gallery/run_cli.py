"""The command line with the small test model, for tests that need a process of its own: python run_cli.py index ..."""

import sys

import sketchseek.engine.models
from sketchseek.cli import main
from tests.gallery.grid_model import GridModel


def load(name: str) -> GridModel:
    return GridModel(name.removeprefix("grid-"))


sketchseek.engine.models.load_search_model = load  # type: ignore[assignment]

if __name__ == "__main__":
    main(sys.argv[1:])
