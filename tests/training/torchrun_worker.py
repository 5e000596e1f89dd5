"""Run by ``torchrun``: trains the toy by the recipe in the first argument into the folder in the second.

Where a third argument names a file, the gradients of every step are written to it by the first process.
"""

import os
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from sketchseek.training import loop
from sketchseek.training.distributed import World
from sketchseek.training.recipe import read_recipe
from sketchseek.training.session import train
from tests.training.toys import use_toys


def record_gradients(into: dict[str, torch.Tensor]) -> None:
    average = World.average_gradients

    def recording(self: World, parameters: Any) -> None:
        parameters = list(parameters)
        average(self, parameters)
        step = len(into) // len(parameters)
        into.update({f"{step}.{number}": p.grad.clone() for number, p in enumerate(parameters)})

    loop.World.average_gradients = recording  # type: ignore[method-assign]


def run(recipe_file: str, folder: str, gradients_file: str) -> None:
    use_toys()
    gradients: dict[str, torch.Tensor] = {}
    record_gradients(gradients)
    train(read_recipe(Path(recipe_file)), Path(folder))
    if os.environ["RANK"] == "0":
        save_file(gradients, gradients_file)


if __name__ == "__main__":
    run(*sys.argv[1:])
