"""docs/reference/losses.md: its example runs, and every loss is on the page."""

import re
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "losses.md").read_text(encoding="utf-8")


def test_the_example_gives_gradients():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    torch.manual_seed(0)
    exec(compile(code.replace("loss.backward()", ""), "losses.md", "exec"), names)
    gradient = torch.autograd.grad(names["loss"], names["sketches"])[0]
    assert float(names["loss"].detach()) > 0 < float(gradient.abs().sum())


def test_every_loss_is_on_the_page():
    modules = {file.stem for file in (ROOT / "src" / "sketchseek" / "losses").glob("*.py")} - {"__init__", "arithmetic"}
    assert set(re.findall(r"^::: sketchseek\.losses\.(\w+)", PAGE, re.MULTILINE)) == modules
