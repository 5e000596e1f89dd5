from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sketchseek.training import files
from sketchseek.training.loop import Training
from sketchseek.training.recipe import Recipe
from sketchseek.training.session import train
from sketchseek.training.validation import Validator
from tests.training.test_session import interrupt, same_run

Make = Callable[..., Recipe]


def test_the_kept_state_is_the_average_of_the_steps(
    recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[dict[str, torch.Tensor]] = []
    step_of = Training._step

    def step(self, number, parts, stop):
        if not states:
            states.append({name: tensor.clone() for name, tensor in self.method.adapter().items()})
        found = step_of(self, number, parts, stop)
        states.append({name: tensor.clone() for name, tensor in self.method.adapter().items()})
        return found

    monkeypatch.setattr(Training, "_step", step)
    train(recipe(steps=7, ema=0.3, validation="none"), tmp_path / "run")
    expected = states[0]
    for number, state in enumerate(states[1:], start=1):
        decay = min(0.3, number / (number + 9))
        expected = {name: decay * expected[name] + (1 - decay) * tensor for name, tensor in state.items()}
    kept = load_file(tmp_path / "run" / files.ADAPTER)
    torch.testing.assert_close(kept, expected)
    assert not torch.equal(kept["linear.weight"], states[-1]["linear.weight"])


def test_validation_measures_the_average_and_leaves_the_training_alone(
    recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def judge(self, method, progress):
        seen.append(method.linear.weight.clone())
        return {"map@all": float(len(seen))}

    monkeypatch.setattr(Validator, "__call__", judge)
    train(recipe(steps=6, ema=0.9, validate_every=2), tmp_path / "often")
    often = load_file(tmp_path / "often" / files.STATE)
    assert torch.equal(seen[-1], often["average.linear.weight"])
    assert not torch.equal(seen[-1], often["adapter.linear.weight"])
    train(recipe(steps=6, ema=0.9, validate_every=6), tmp_path / "once")
    once = load_file(tmp_path / "once" / files.STATE)
    assert all(torch.equal(tensor, often[name]) for name, tensor in once.items() if name.startswith("adapter."))


def test_an_average_resumes(recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = recipe(ema=0.9, validate_every=4)
    train(one, tmp_path / "whole")
    interrupt(one, tmp_path / "pieces", 5, monkeypatch)
    train(one, tmp_path / "pieces", resume=True)
    assert same_run(tmp_path / "whole", tmp_path / "pieces")
