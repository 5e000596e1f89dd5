"""``benchmarks/gradients.py``: its norms are those of the losses it names."""

import re
import runpy
import sys
from pathlib import Path

import pytest
import torch

from sketchseek.methods.method import Clock
from sketchseek.training.presets import recipe_from_preset
from sketchseek.training.session import prepare_training
from tests.training.toys import Toy

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "gradients.py"


def test_the_table_has_the_norm_of_each_loss(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ["--set", "batch=8", "--set", "dropout=0", "--steps", "0,2"]
    words = [str(FILE), str(data), "--method", "toy", "--preset", "default", "--setting", "category", *settings]
    monkeypatch.setattr(sys, "argv", words)
    runpy.run_path(str(FILE), run_name="__main__")
    rows = re.findall(r"^\| (\w+) \| ([\d.]+) \| ([\d.]+) \|$", capsys.readouterr().out, re.MULTILINE)
    assert [name for name, *_ in rows] == ["triplet", "size"]
    given = {"data": str(data), "batch": "8", "dropout": "0", "validation": "none", "steps": "3"}
    recipe = recipe_from_preset("toy", "default", "category", "custom", given, "test")
    training, _ = prepare_training(recipe, tmp_path / "run")
    assert isinstance(training.method, Toy)
    loss = training.method.losses(next(training.feed.steps(0))[0], Clock(0, 0, 3))["triplet"]
    loss.backward()
    gradients = [p.grad.flatten() for p in training.method.parameters() if p.grad is not None]
    assert float(rows[0][1]) == pytest.approx(float(torch.cat(gradients).norm()), abs=1e-4)
