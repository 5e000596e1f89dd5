"""The training loop: batches, losses, gradients, steps; validation, logging and saving in between."""

import hashlib
import math
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from sketchseek.methods.method import Batch, Clock, Method
from sketchseek.training import files
from sketchseek.training.averaging import Average
from sketchseek.training.checkpoint import AdapterFacts, Best, TrainingState, copy_adapter, save_adapter, save_state
from sketchseek.training.curves import draw_curves
from sketchseek.training.data.feed import Feed
from sketchseek.training.distributed import World
from sketchseek.training.errors import Interrupted, TrainingError
from sketchseek.training.log import append
from sketchseek.training.loggers import Logger
from sketchseek.training.optimise import all_finite, rate_factor, set_rates
from sketchseek.training.progress import Progress, StepReport
from sketchseek.training.recipe import Recipe
from sketchseek.training.signals import Stop
from sketchseek.training.validation import Validator

PICTURES = 3  # in a triplet
CURVES_EVERY = 60.0  # seconds: plotting takes a moment


@dataclass(kw_only=True)
class Training:
    """A training with all its parts; ``state`` and ``best`` (tensors of the best adapter so far) change as it runs."""

    recipe: Recipe
    folder: Path
    method: Method
    optimiser: Optimizer
    scaler: torch.amp.GradScaler
    precision: torch.dtype | None
    feed: Feed
    validator: Validator | None
    state: TrainingState
    best: dict[str, Tensor]
    world: World
    progress: Progress
    average: Average | None = None
    logger: Logger | None = None

    def run(self, stop: Stop) -> None:
        """Train to the last step. An interruption saves the state and raises ``Interrupted``."""
        first, steps = self.state.step, self.feed.timetable.steps
        self.method.train()
        begun = reported = time.monotonic()
        plotted = -math.inf
        done_before = first
        with explain_memory(self.recipe):
            if first == 0 and self.validator is not None:
                self._validate(0)  # what the untrained method reaches
            for step, parts in enumerate(self.feed.steps(first), start=first):
                losses, stopping = self._step(step, parts, stop)
                self.state.step = done = step + 1
                self.state.meter.add(losses)
                if not self.world.leads:
                    if stopping and done < steps:
                        raise self._interrupted()
                    continue
                now = time.monotonic()
                if done % self.recipe.log_every == 0 or done == steps:
                    speed = (done - done_before) * self._pictures / max(now - reported, 1e-9)
                    self._report(step, speed, (steps - done) * (now - begun) / (done - first))
                    done_before, reported = done, now
                validates = self._validates_after(done)
                if validates:
                    self._validate(done)
                    if time.monotonic() - plotted > CURVES_EVERY:
                        self._plot()
                        plotted = time.monotonic()
                if validates or done % self.recipe.save_every == 0 or stopping:
                    self._save()
                if stopping and done < steps:
                    self._plot()
                    raise self._interrupted()
        if self.world.leads:
            self._plot()

    @property
    def _pictures(self) -> int:
        """How many, in one step of all processes."""
        return PICTURES * self.feed.batch * self.world.size

    def _step(self, step: int, parts: list[Batch], stop: Stop) -> tuple[dict[str, float], bool]:
        """One update: the losses by name, averaged over all processes, and whether any of these shall stop."""
        clock = Clock(self.feed.timetable.epoch_of(step), step, self.feed.timetable.steps)
        seed_step(self.recipe.seed, step, self.world.rank)
        set_rates(self.optimiser, rate_factor(step, clock.steps, self.recipe.schedule, self.recipe.warmup))
        self.optimiser.zero_grad(set_to_none=True)
        sums: dict[str, Tensor] = {}
        for part in parts:
            with torch.autocast(self.feed.device.type, self.precision, enabled=self.precision is not None):
                losses = self.method.losses(part, clock)
            total = torch.stack([loss.float() for loss in losses.values()]).sum()
            torch.autograd.backward(self.scaler.scale(total / len(parts)))
            for name, loss in {"loss": total, **{f"loss:{name}": loss for name, loss in losses.items()}}.items():
                sums[name] = sums.get(name, torch.zeros((), device=loss.device)) + loss.detach().float() / len(parts)
        requested = torch.tensor(float(stop.requested), device=self.feed.device)
        *values, requested_share = self.world.mean(torch.stack([*sums.values(), requested])).tolist()
        named = dict(zip(sums, values, strict=True))
        if bad := [name for name, value in named.items() if not math.isfinite(value)]:
            raise self._diverged(bad[-1], named[bad[-1]], clock)
        parameters = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
        self.world.average_gradients(parameters)
        # fp16 overflows occasionally: its scaler skips such a step and scales down.
        if not self.scaler.is_enabled() and not all_finite(parameters):
            raise self._diverged("gradient", math.nan, clock)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self._average_buffers()
        if self.average is not None:
            self.average.update(self.method, step + 1)
        return named, requested_share > 0

    def _average_buffers(self) -> None:
        """Average the method's running means over all processes."""
        trained = {name for name, _ in self.method.named_parameters()}
        self.world.average(
            tensor
            for name, tensor in self.method.adapter().items()
            if name not in trained and tensor.is_floating_point()
        )

    def _validates_after(self, done: int) -> bool:
        every = self.recipe.validate_every
        due = self.feed.timetable.ends_epoch(done) if every is None else done % every == 0
        return due or done == self.feed.timetable.steps

    def _validate(self, done: int) -> None:
        """Measure the state and keep it if it is the best so far; without a validator, keep the last one."""
        with nullcontext() if self.average is None else self.average.in_place_of(self.method):
            self._judge(done)

    def _judge(self, done: int) -> None:
        best = self.state.best
        if self.validator is None:
            self.state.best, self.best = Best(done, None, {}), copy_adapter(self.method)
        else:
            task = self.validator.task
            with self.progress.task("validating", len(task.queries) + len(task.gallery)) as advance:
                values = self.validator(self.method, advance)
            metric = self.validator.metric
            better = best is None or values[metric] > best.values[metric]
            if better:
                self.state.best, self.best = Best(done, metric, values), copy_adapter(self.method)
            self._log(done, {f"val:{name}": value for name, value in values.items()})
            self.progress.validated(done, values, better)
        if self.state.best is not None and self.state.best.step == done:
            facts = AdapterFacts(self.state.backbone, self.feed.material.class_names, self.state.best)
            save_adapter(self.folder / files.ADAPTER, self.best, facts)

    def _report(self, step: int, speed: float, seconds_left: float) -> None:
        losses = self.state.meter.means()
        rates = {f"rate:{group['name']}": group["lr"] for group in self.optimiser.param_groups}
        self._log(step + 1, {**losses, **rates, "images/s": speed})
        timetable = self.feed.timetable
        report = StepReport(timetable.epoch_of(step), step + 1, timetable.steps, losses, speed, seconds_left)
        self.progress.report(report)

    def _log(self, done: int, values: Mapping[str, float]) -> None:
        append(self.folder / files.LOG, done, self.feed.timetable.epoch_of(max(0, done - 1)), values)
        if self.logger is not None:
            self.logger.log(done, values)

    def _plot(self) -> None:
        draw_curves(self.folder / files.LOG, self.folder / files.CURVES, self.folder.name)

    def _save(self) -> None:
        self.state.scaler = self.scaler.state_dict()
        save_state(self.folder / files.STATE, self.state, self.method, self.best, self.optimiser, self.average)

    def _interrupted(self) -> Interrupted:
        return Interrupted(
            f"stopped after step {self.state.step} of {self.feed.timetable.steps}, all is saved; continue with: "
            f"sketchseek train --out {self.folder} --resume"
        )

    def _diverged(self, name: str, value: float, clock: Clock) -> TrainingError:
        return TrainingError(
            f"{name} is {value} in step {clock.step + 1} (epoch {clock.epoch + 1}) of the recipe "
            f"{self.folder / files.RECIPE}, so training stops: lower lr, add warmup or --set amp=off in a new run"
        )


def seed_step(seed: int, step: int, rank: int) -> None:
    """Seed every random generator for a step, so that a resumed training needs no saved random state."""
    digest = hashlib.sha256(f"{seed}:{step}:{rank}".encode()).digest()
    torch.manual_seed(int.from_bytes(digest[:8], "little") >> 1)
    np.random.seed(int.from_bytes(digest[8:12], "little"))
    random.seed(digest[12:20])


@contextmanager
def explain_memory(recipe: Recipe) -> Iterator[None]:
    """Replace an out-of-memory error by one sentence with a way out."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        # The CPU's allocator raises a plain RuntimeError.
        if type(error) is RuntimeError and "can't allocate memory" not in str(error):
            raise
        hints = [f"batch lower than {recipe.batch}", f"accumulate higher than {recipe.accumulate}"]
        if not recipe.checkpointing:
            hints.append("checkpointing=true")
        raise TrainingError(
            f"out of memory with batch {recipe.batch} in {recipe.accumulate} part(s): --set {', or '.join(hints)}"
        ) from error
