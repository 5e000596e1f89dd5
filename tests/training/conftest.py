from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from sketchseek.methods.registry import METHODS
from sketchseek.training import backbones
from sketchseek.training.recipe import Recipe, make_recipe
from tests.training.toys import ToyBackbone, write_data


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The toy method and backbone by name, one thread, and a cache of this run's own."""
    monkeypatch.setitem(METHODS, "toy", "tests.training.toys:Toy")
    monkeypatch.setattr(backbones, "load_backbone", lambda name, **_: ToyBackbone())
    monkeypatch.setenv("SKETCHSEEK_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy dataset."""
    return write_data(tmp_path_factory.mktemp("toy") / "data")


@pytest.fixture
def recipe(data: Path) -> Callable[..., Recipe]:
    """A short recipe for the toys, with changes."""

    def make(**changes: Any) -> Recipe:
        values = {"data": str(data), "backbone": "toy", "epochs": 2, "batch": 8, "log_every": 2, "save_every": 3}
        return make_recipe("toy", values | changes, "test")

    return make
