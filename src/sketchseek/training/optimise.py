"""The optimiser, its learning rates over time, and the precision a device computes in."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import torch
from torch import nn
from torch.optim import Adam, AdamW, Optimizer

from sketchseek.methods.method import Method
from sketchseek.training.errors import TrainingError
from sketchseek.training.recipe import Recipe


def build_optimiser(method: Method, recipe: Recipe) -> Optimizer:
    """One optimiser over the method's groups, each split into weights with and without decay.

    ``base_lr`` of a group is its learning rate before the schedule.
    """
    decaying = set(_decaying(method)) if recipe.weight_decay else set()
    groups: list[dict[str, Any]] = []
    for group in method.groups():
        rate = group.lr if recipe.lr is None else recipe.lr
        for decays in (True, False):
            parameters = [p for p in group.parameters if (id(p) in decaying) == decays]
            if parameters:
                decay = recipe.weight_decay if decays else 0.0
                groups.append(
                    {"params": parameters, "name": group.name, "lr": rate, "base_lr": rate, "weight_decay": decay}
                )
    return AdamW(groups) if recipe.optimiser == "adamw" else Adam(groups)


def _decaying(method: nn.Module) -> Iterable[int]:
    """Ids of the matrices of linear and convolution layers: norms, biases and prompts never decay."""
    for module in method.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
            yield id(module.weight)


def rate_factor(step: int, steps: int, schedule: Literal["constant", "cosine"], warmup: int) -> float:
    """The factor of the base rates in a step, counted from 0: a linear rise, then constant or falling as a cosine."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def set_rates(optimiser: Optimizer, factor: float) -> None:
    """Set every group's rate to its base rate times ``factor``."""
    for group in optimiser.param_groups:
        group["lr"] = group["base_lr"] * factor


def choose_precision(wanted: Literal["auto", "off", "bf16", "fp16"], device: torch.device) -> torch.dtype | None:
    """The dtype of autocast; None for plain float32, always on a CPU, where half precision is slower."""
    if device.type != "cuda":
        if wanted in ("bf16", "fp16"):
            raise TrainingError(f"{wanted} needs a CUDA device, and this is {device.type}: choose --set amp=off")
        return None
    if wanted == "off":
        return None
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    if wanted == "bf16" and not native:
        raise TrainingError("this GPU has no bf16: choose --set amp=fp16 or --set amp=off")
    return torch.bfloat16 if wanted != "fp16" and native else torch.float16


def all_finite(parameters: Sequence[nn.Parameter]) -> bool:
    """Whether every gradient is finite."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return bool(torch.isfinite(torch.nn.utils.get_total_norm(gradients)))
