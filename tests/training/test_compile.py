"""Layers compiled by torch: the same training, and one sentence where there is no compiler."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from sketchseek.clip.weights import load_backbone
from sketchseek.training import backbones, files
from sketchseek.training.errors import TrainingError
from sketchseek.training.presets import recipe_from_preset
from sketchseek.training.recipe import Recipe
from sketchseek.training.session import train


@pytest.fixture
def compiled(data: Path, tiny_clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setattr(backbones, "load_backbone", load_backbone)
    given: dict[str, Any] = {"data": str(data), "backbone": str(tiny_clip_folder), "steps": 2, "batch": 8}
    given |= {"validate_every": 2, "validation": "none", "compile": True}
    return recipe_from_preset("clip-at", "default", "category", "custom", given, "test")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
@pytest.mark.filterwarnings("ignore")  # torch's own code warns
def test_compiled_layers_train_alike(compiled: Recipe, tmp_path: Path) -> None:
    train(compiled, tmp_path / "compiled")
    train(replace(compiled, compile=False), tmp_path / "plain")
    ours, theirs = (load_file(tmp_path / name / files.ADAPTER) for name in ("compiled", "plain"))
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=1e-3, atol=1e-5)


def test_no_compiler_is_one_sentence(compiled: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> object:
        raise RuntimeError("no C++ compiler\nmore")

    monkeypatch.setattr(torch, "compile", fail)
    with pytest.raises(TrainingError, match=r"^compile=true does not work here \(no C\+\+ compiler\): install"):
        train(compiled, tmp_path / "run")
