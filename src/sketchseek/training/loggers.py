"""Loggers: the numbers of ``log.csv`` in TensorBoard or Weights & Biases, too.

Their packages are imported when a recipe names them. Nothing is sent anywhere, unless WANDB_MODE=online says so.
"""

import hashlib
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from sketchseek.installation import extra_command
from sketchseek.training.errors import TrainingError
from sketchseek.training.recipe import Recipe


class Logger(Protocol):
    """Receives every line of the log."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Values by name after ``step`` steps."""

    def close(self) -> None:
        """Write everything; called once, however the training ends."""


class TensorBoard:
    """Event files in the run folder, below ``tensorboard``. ``step``: later ones of an earlier attempt are hidden."""

    def __init__(self, folder: Path, step: int) -> None:
        module = _imported("torch.utils.tensorboard", "tensorboard")
        self._writer = module.SummaryWriter(log_dir=str(folder / "tensorboard"), purge_step=step + 1)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name.replace(":", "/", 1), value, step)

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """A run in the run folder, below ``wandb``; ``wandb sync`` uploads it later."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        module = _imported("wandb", "wandb")
        self._run = module.init(
            project="sketchseek",
            name=folder.name,
            id=hashlib.sha256(f"{folder.resolve()}\n{recipe.fingerprint}".encode()).hexdigest()[:16],
            resume="allow",
            dir=str(folder),
            config={"method": recipe.method, **recipe.values()},
            mode=os.environ.get("WANDB_MODE", "offline"),
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log({name.replace(":", "/", 1): value for name, value in values.items()}, step=step)

    def close(self) -> None:
        self._run.finish()


def open_logger(recipe: Recipe, folder: Path, step: int) -> Logger | None:
    """The recipe's logger for a training that continues after ``step``; None without one."""
    if recipe.logger == "tensorboard":
        return TensorBoard(folder, step)
    return WeightsAndBiases(folder, recipe) if recipe.logger == "wandb" else None


def _imported(module: str, extra: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise TrainingError(
            f"the logger {extra} cannot be used ({error}); run: {extra_command(extra)}, or --set logger=none"
        ) from None
