"""How strongly each loss of a method pulls: the norm of its gradient, on the batches of a training.

    python benchmarks/gradients.py DATA [--method clip-at] [--setting fine-grained] [--backbone lite] [--set KEY=VALUE]

The norm is over all trained parameters together, of the loss as it is weighted, before training and after some steps.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from sketchseek.datasets import open_dataset
from sketchseek.methods.method import Clock
from sketchseek.training.presets import recipe_from_preset
from sketchseek.training.recipe import parse_settings
from sketchseek.training.session import prepare_training

AFTER = (0, 10, 30)  # steps


def gradient_norm(loss: Tensor, parameters: list[nn.Parameter]) -> float:
    """The length of the gradient of a loss in all parameters."""
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, materialize_grads=True)
    return float(torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt())


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the gradient norm of each loss.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--method", default="clip-at")
    parser.add_argument("--setting", default="fine-grained")
    parser.add_argument("--preset", default="lite")
    parser.add_argument("--backbone", default="lite")
    parser.add_argument("--steps", type=lambda text: [int(word) for word in text.split(",")], default=list(AFTER))
    parser.add_argument("--set", dest="settings", action="append", default=[], help="key=value of the recipe")
    given = parser.parse_args()
    values = {"data": str(given.data), "backbone": given.backbone, "validation": "none", "steps": max(given.steps) + 1}
    name = open_dataset(given.data).name
    recipe = recipe_from_preset(
        given.method, given.preset, given.setting, name, values | parse_settings(given.settings), "--set"
    )
    rows: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        training, _ = prepare_training(recipe, Path(folder) / "run")
        parameters = [p for group in training.method.groups() for p in group.parameters]
        for step, parts in enumerate(training.feed.steps(0)):
            losses = training.method.losses(parts[0], Clock(0, step, recipe.steps or 1))
            if step in given.steps:
                for name, loss in losses.items():
                    rows.setdefault(name, []).append(f"{gradient_norm(loss, parameters):.4f}")
            training.optimiser.zero_grad()
            torch.autograd.backward(torch.stack(list(losses.values())).sum())
            training.optimiser.step()
    print("| loss | " + " | ".join(f"after {step} steps" for step in given.steps) + " |")
    print("|---" * (1 + len(given.steps)) + "|")
    for name, row in rows.items():
        print(f"| {name} | " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
