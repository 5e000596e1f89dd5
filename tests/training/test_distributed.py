import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sketchseek.training import files
from sketchseek.training.checkpoint import load_state
from sketchseek.training.distributed import World
from sketchseek.training.recipe import Recipe
from sketchseek.training.session import train
from tests.training.test_session import same_run
from tests.training.torchrun_worker import recording

ROOT = Path(__file__).resolve().parents[2]


def torchrun(processes: int, one: Recipe, folder: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    """Train in several processes; the gradients of every step go to a file."""
    folder.mkdir(exist_ok=True)
    (folder / "recipe.toml").write_text(one.to_toml())
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    script = [str(Path(__file__).with_name("torchrun_worker.py")), str(folder / "recipe.toml")]
    return subprocess.run(
        [*launch, *script, str(folder / "run"), str(folder / "gradients"), *more],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )


def train_by_torchrun(processes: int, one: Recipe, folder: Path) -> dict[str, torch.Tensor]:
    """Train in several processes; gives the gradients of every step."""
    done = torchrun(processes, one, folder)
    assert done.returncode == 0, done.stderr
    return load_file(folder / "gradients")


def train_here(one: Recipe, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """The same in this process alone."""
    gradients: dict[str, torch.Tensor] = {}
    with monkeypatch.context() as patch:
        patch.setattr(World, "average_gradients", recording(gradients))
        train(one, folder / "run")
    return gradients


def test_two_processes_take_the_steps_of_one_with_the_double_batch(
    recipe: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Dropout differs by process, as it should; without it the two must agree.
    common = {"steps": 5, "dropout": 0.0, "validate_every": 5, "validation": "val"}
    two = train_by_torchrun(2, recipe(batch=4, **common), tmp_path / "two")
    one = train_here(recipe(batch=8, **common), tmp_path / "one", monkeypatch)
    assert two.keys() == one.keys()
    for name, gradient in one.items():
        torch.testing.assert_close(two[name], gradient, rtol=1e-4, atol=1e-7)
    adapters = [load_file(tmp_path / name / "run" / files.ADAPTER) for name in ("two", "one")]
    for name, tensor in adapters[0].items():
        torch.testing.assert_close(tensor, adapters[1][name], rtol=1e-3, atol=1e-5)
    assert (tmp_path / "two" / "run" / files.LOG).read_text().count("step,epoch,name,value") == 1


@pytest.mark.slow
def test_a_killed_process_ends_all_and_resuming_equals_uninterrupted(
    recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    one = recipe(batch=4, steps=6, save_every=2, validate_every=3)
    train_by_torchrun(2, one, tmp_path / "whole")
    killed = torchrun(2, one, tmp_path / "killed", "5")
    assert killed.returncode != 0
    assert load_state(tmp_path / "killed" / "run" / files.STATE)[0].step == 4
    train_by_torchrun(2, one, tmp_path / "killed")
    assert same_run(tmp_path / "whole" / "run", tmp_path / "killed" / "run")


def test_alone_nothing_is_sent() -> None:
    world = World()
    parameter = torch.nn.Parameter(torch.ones(2))
    world.average_gradients([parameter])
    assert parameter.grad is None
    assert torch.equal(world.mean(torch.tensor([2.0])), torch.tensor([2.0]))
    world.wait()
