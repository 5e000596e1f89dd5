"""Loggers, with fakes that have the real packages' names and reject what these would reject."""

import csv
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sketchseek.training import files
from sketchseek.training.errors import TrainingError
from sketchseek.training.recipe import Recipe
from sketchseek.training.session import train
from tests.training.test_session import interrupt

Make = Callable[..., Recipe]


class SummaryWriter:
    """As in torch.utils.tensorboard."""

    made: list["SummaryWriter"] = []  # noqa: RUF012

    def __init__(self, log_dir: str | None = None, *, purge_step: int | None = None) -> None:
        self.log_dir, self.purge_step, self.closed = log_dir, purge_step, False
        self.scalars: list[tuple[str, float, int]] = []
        SummaryWriter.made.append(self)

    def add_scalar(self, tag: str, scalar_value: float, global_step: int | None = None) -> None:
        assert global_step is not None
        self.scalars.append((tag, scalar_value, global_step))

    def close(self) -> None:
        self.closed = True


class WandbRun:
    """As wandb.init returns."""

    def __init__(self, **given: Any) -> None:
        self.given, self.finished = given, False
        self.logged: list[tuple[int, dict[str, float]]] = []

    def log(self, data: dict[str, float], step: int | None = None) -> None:
        assert step is not None
        assert not self.logged or step >= self.logged[-1][0]  # wandb drops earlier steps
        self.logged.append((step, data))

    def finish(self) -> None:
        self.finished = True


def lines(folder: Path) -> list[tuple[str, float, int]]:
    with (folder / files.LOG).open(newline="") as stream:
        rows = list(csv.reader(stream))[1:]
    return [(name.replace(":", "/", 1), float(value), int(step)) for step, _, name, value in rows]


@pytest.fixture
def tensorboard(monkeypatch: pytest.MonkeyPatch) -> list[SummaryWriter]:
    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr(SummaryWriter, "made", [])
    return SummaryWriter.made


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> list[WandbRun]:
    module, made = ModuleType("wandb"), []

    def init(project: str, name: str, id: str, resume: str, dir: str, config: dict[str, Any], mode: str) -> WandbRun:
        made.append(WandbRun(**{key: value for key, value in locals().items() if key != "made"}))
        return made[-1]

    module.init = init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return made


def test_tensorboard_has_every_line_of_the_log(
    recipe: Make, tmp_path: Path, tensorboard: list[SummaryWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = recipe(logger="tensorboard", log_every=1)
    interrupt(one, tmp_path / "run", 4, monkeypatch)
    train(one, tmp_path / "run", resume=True)
    first, second = tensorboard
    assert first.log_dir == str(tmp_path / "run" / "tensorboard")
    assert (first.purge_step, second.purge_step) == (1, 5)
    assert first.closed and second.closed
    assert first.scalars + second.scalars == lines(tmp_path / "run")
    assert {"loss/triplet", "val/map@all", "rate/linear"} <= {tag for tag, *_ in second.scalars}


def test_wandb_has_every_line_and_stays_on_this_machine(recipe: Make, tmp_path: Path, wandb: list[WandbRun]) -> None:
    train(recipe(logger="wandb"), tmp_path / "run")
    (run,) = wandb
    assert run.finished
    assert [(name, value, step) for step, data in run.logged for name, value in data.items()] == lines(tmp_path / "run")
    assert (run.given["mode"], run.given["dir"], run.given["name"]) == ("offline", str(tmp_path / "run"), "run")
    assert (run.given["config"]["method"], run.given["config"]["margin"]) == ("toy", 0.2)


def test_a_wandb_run_is_continued_and_goes_online_when_told(
    recipe: Make, tmp_path: Path, wandb: list[WandbRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    interrupt(recipe(logger="wandb"), tmp_path / "run", 4, monkeypatch)
    train(recipe(logger="wandb"), tmp_path / "run", resume=True)
    first, second = wandb
    assert first.given["id"] == second.given["id"]
    assert (second.given["resume"], second.given["mode"]) == ("allow", "online")
    assert first.finished  # although the training was interrupted


def test_a_logger_may_change_when_a_run_is_resumed(
    recipe: Make, tmp_path: Path, tensorboard: list[SummaryWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(recipe(), tmp_path / "run", 4, monkeypatch)
    train(recipe(logger="tensorboard"), tmp_path / "run", resume=True)
    assert [writer.purge_step for writer in tensorboard] == [5]


@pytest.mark.parametrize(("logger", "module"), [("tensorboard", "torch.utils.tensorboard"), ("wandb", "wandb")])
def test_without_its_package_a_logger_says_what_to_install(
    recipe: Make, tmp_path: Path, logger: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(TrainingError, match=f"the logger {logger} cannot be used .*; run: .*{logger}.*logger=none"):
        train(recipe(logger=logger), tmp_path / "run")


def test_the_fakes_accept_what_the_real_ones_accept() -> None:
    real: Any = pytest.importorskip("torch.utils.tensorboard").SummaryWriter
    for name in ("__init__", "add_scalar", "close"):
        ours = inspect.signature(getattr(SummaryWriter, name)).parameters
        assert set(ours) <= set(inspect.signature(getattr(real, name)).parameters)
