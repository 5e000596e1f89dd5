"""Run by ``torchrun``: trains the toy by the recipe in the first argument into the folder in the second.

The first process writes the gradients of every step to the third. With a fourth, the last process is killed in the step
of that number. A run that is in the folder is continued.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from sketchseek.training import files
from sketchseek.training.distributed import World
from sketchseek.training.recipe import read_recipe
from sketchseek.training.session import train
from tests.training.toys import use_toys


def recording(into: dict[str, torch.Tensor], dies_in: int | None = None) -> Callable[[World, Any], None]:
    """``World.average_gradients`` that notes what it gives, as "step.parameter", and may kill the last process."""
    average = World.average_gradients

    def average_and_note(self: World, parameters: Any) -> None:
        parameters = list(parameters)
        if dies_in == len(into) // len(parameters) and self.rank == self.size - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        average(self, parameters)
        step = len(into) // len(parameters)
        into.update({f"{step}.{number}": p.grad.clone() for number, p in enumerate(parameters)})

    return average_and_note


def run(recipe_file: str, folder: str, gradients_file: str, dies_in: str = "") -> None:
    use_toys()
    gradients: dict[str, torch.Tensor] = {}
    World.average_gradients = recording(gradients, int(dies_in) if dies_in else None)  # type: ignore[assignment, method-assign]
    train(read_recipe(Path(recipe_file)), Path(folder), resume=(Path(folder) / files.RECIPE).exists())
    if os.environ["RANK"] == "0":
        save_file(gradients, gradients_file)


if __name__ == "__main__":
    run(*sys.argv[1:])
