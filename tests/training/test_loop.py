import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from sketchseek.training import files
from sketchseek.training.errors import TrainingError
from sketchseek.training.loop import explain_memory, seed_step
from sketchseek.training.recipe import Recipe
from sketchseek.training.session import train

Make = Callable[..., Recipe]


def test_a_batch_in_parts_takes_the_same_step(recipe: Make, tmp_path: Path) -> None:
    for accumulate in (1, 4):
        one = recipe(accumulate=accumulate, dropout=0.0, steps=6, optimiser="adamw")
        train(one, tmp_path / str(accumulate))
    whole, parts = (load_file(tmp_path / name / files.STATE) for name in ("1", "4"))
    for name, tensor in whole.items():
        if "mean" not in name:  # the running mean moves once a part
            torch.testing.assert_close(parts[name], tensor, rtol=1e-3, atol=1e-6)


def draws() -> tuple[float, ...]:
    return float(torch.rand(1)), random.random(), float(np.random.rand())


def test_each_step_of_each_process_has_random_numbers_of_its_own() -> None:
    seen: set[float] = set()
    for where in ((0, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0)):
        seed_step(*where)
        first = draws()
        seed_step(*where)
        assert draws() == first
        seen.update(first)
    assert len(seen) == 12


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        MemoryError(),
    ],
)
def test_out_of_memory_says_what_to_lower(error: Exception, recipe: Make) -> None:
    said = "batch lower than 8, or accumulate higher than 1, or checkpointing=true"
    with pytest.raises(TrainingError, match=said), explain_memory(recipe()):
        raise error
    with pytest.raises(TrainingError) as found, explain_memory(recipe(checkpointing=True)):
        raise error
    assert "checkpointing" not in str(found.value)


def test_other_errors_are_left_as_they_are(recipe: Make) -> None:
    with pytest.raises(RuntimeError, match="shapes do not fit"), explain_memory(recipe()):
        raise RuntimeError("shapes do not fit")


def test_gradients_that_are_no_numbers_stop_the_training(
    recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.training.toys import Toy

    plain = Toy.losses

    def losses(self: Toy, batch: object, clock: object) -> dict[str, torch.Tensor]:
        # the root of 0 has no slope: the loss is fine, its gradient is not
        return plain(self, batch, clock) | {"root": (self.linear.bias * 0).sum().sqrt()}  # type: ignore[arg-type]

    monkeypatch.setattr(Toy, "losses", losses)
    with pytest.raises(TrainingError, match="gradient is nan in step 1"):
        train(recipe(), tmp_path / "run")
    assert not (tmp_path / "run" / files.STATE).exists()
