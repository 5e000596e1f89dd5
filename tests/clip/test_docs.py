"""docs/research/backbones.md matches the code."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from sketchseek.clip import weights
from sketchseek.hub.catalog import published

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "research" / "backbones.md").read_text(encoding="utf-8")


def test_the_table_is_the_catalogue() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|.*\| (yes|no) \|$", PAGE, re.MULTILINE)
    trained = [entry for entry in published().values() if entry.trains]
    assert rows == [(entry.name, "yes" if entry.pin else "no") for entry in trained]


def test_the_example_runs(tiny_clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    load = weights.load_backbone
    monkeypatch.setattr(weights, "load_backbone", lambda _: load(tiny_clip_folder))
    names: dict[str, Any] = {}
    exec(example, names)
    assert names["run"].embedding.shape == (2, 16)
    assert names["run"].tokens[2].shape == (2, 50, 32)
    assert names["logits"].shape == (2, 2)
    names["logits"].sum().backward()
    assert isinstance(names["prompts"].grad, torch.Tensor)
