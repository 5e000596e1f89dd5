"""The loop: batches in, losses, gradients, one step of the weights, again; judged, logged and saved on the way."""

import hashlib
import math
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from sketchseek.methods.method import Batch, Clock, Method
from sketchseek.training import files
from sketchseek.training.checkpoint import AdapterFacts, Best, Counters, copy_adapter, save_adapter, save_state
from sketchseek.training.curves import draw_curves
from sketchseek.training.data.feed import Feed
from sketchseek.training.distributed import World
from sketchseek.training.errors import Interrupted, TrainingError
from sketchseek.training.log import append
from sketchseek.training.optimise import all_finite, rate_factor, set_rates
from sketchseek.training.progress import Progress, StepReport
from sketchseek.training.recipe import Recipe
from sketchseek.training.signals import Stop
from sketchseek.training.validation import Validator

PICTURES = 3  # in a triplet
CURVES_EVERY = 60.0  # seconds: drawing takes a moment


@dataclass
class Training:
    """A training under way. ``counters`` and ``best`` (the chosen adapter) are what it has come to so far."""

    recipe: Recipe
    folder: Path
    method: Method
    optimiser: Optimizer
    scaler: torch.amp.GradScaler
    precision: torch.dtype | None
    feed: Feed
    validator: Validator | None
    counters: Counters
    best: dict[str, Tensor]
    world: World
    progress: Progress

    def run(self, stop: Stop) -> None:
        """Train to the last step. An interruption saves the state and raises ``Interrupted``."""
        first, steps = self.counters.step, self.feed.timetable.steps
        self.method.train()
        begun = reported = time.monotonic()
        drawn = -math.inf
        done_before = first
        with explain_memory(self.recipe):
            for step, parts in enumerate(self.feed.steps(first), start=first):
                losses, stopping = self._step(step, parts, stop)
                self.counters.step = done = step + 1
                self.counters.meter.add(losses)
                if not self.world.leads:
                    if stopping and done < steps:
                        raise self._interrupted()
                    continue
                now = time.monotonic()
                if done % self.recipe.log_every == 0 or done == steps:
                    speed = (done - done_before) * self._pictures / max(now - reported, 1e-9)
                    self._report(step, speed, (steps - done) * (now - begun) / (done - first))
                    done_before, reported = done, now
                judged = self._judges_after(done)
                if judged:
                    self._validate(done)
                    if time.monotonic() - drawn > CURVES_EVERY:
                        self._draw()
                        drawn = time.monotonic()
                if judged or done % self.recipe.save_every == 0 or stopping:
                    self._save()
                if stopping and done < steps:
                    self._draw()
                    raise self._interrupted()
        if self.world.leads:
            self._draw()

    @property
    def _pictures(self) -> int:
        """In one step of all processes."""
        return PICTURES * self.feed.batch * self.world.size

    def _step(self, step: int, parts: list[Batch], stop: Stop) -> tuple[dict[str, float], bool]:
        """One update; gives the losses by name, over all processes, and whether one of these was asked to stop."""
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
        asked = torch.tensor(float(stop.asked), device=self.feed.device)
        *values, asked_anywhere = self.world.mean(torch.stack([*sums.values(), asked])).tolist()
        named = dict(zip(sums, values, strict=True))
        if bad := [name for name, value in named.items() if not math.isfinite(value)]:
            raise self._astray(bad[-1], named[bad[-1]], clock)
        parameters = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
        self.world.average_gradients(parameters)
        # fp16 overflows now and then: its scaler skips that step and scales down.
        if not self.scaler.is_enabled() and not all_finite(parameters):
            raise self._astray("gradient", math.nan, clock)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self._average_buffers()
        return named, asked_anywhere > 0

    def _average_buffers(self) -> None:
        """Running means of the method are over all processes' batches."""
        trained = {name for name, _ in self.method.named_parameters()}
        self.world.average(
            tensor
            for name, tensor in self.method.adapter().items()
            if name not in trained and tensor.is_floating_point()
        )

    def _judges_after(self, done: int) -> bool:
        every = self.recipe.validate_every
        due = self.feed.timetable.ends_epoch(done) if every is None else done % every == 0
        return due or done == self.feed.timetable.steps

    def _validate(self, done: int) -> None:
        """Judge the state and keep it if it is the best so far; without a judge, the last is kept."""
        best = self.counters.best
        if self.validator is None:
            self.counters.best, self.best = Best(done, None, {}), copy_adapter(self.method)
        else:
            task = self.validator.task
            with self.progress.task("validating", len(task.queries) + len(task.gallery)) as advance:
                values = self.validator(self.method, advance)
            metric = self.validator.metric
            better = best is None or values[metric] > best.values[metric]
            if better:
                self.counters.best, self.best = Best(done, metric, values), copy_adapter(self.method)
            self._log(done, {f"val:{metric}": values[metric]})
            self.progress.validated(done, values, better)
        if self.counters.best is not None and self.counters.best.step == done:
            facts = AdapterFacts(self.counters.backbone, self.feed.material.words, self.counters.best)
            save_adapter(self.folder / files.ADAPTER, self.best, facts)

    def _report(self, step: int, speed: float, seconds_left: float) -> None:
        losses = self.counters.meter.means()
        rates = {f"rate:{group['name']}": group["lr"] for group in self.optimiser.param_groups}
        self._log(step + 1, {**losses, **rates, "images/s": speed})
        timetable = self.feed.timetable
        report = StepReport(timetable.epoch_of(step), step + 1, timetable.steps, losses, speed, seconds_left)
        self.progress.report(report)

    def _log(self, done: int, values: Mapping[str, float]) -> None:
        append(self.folder / files.LOG, done, self.feed.timetable.epoch_of(done - 1), values)

    def _draw(self) -> None:
        draw_curves(self.folder / files.LOG, self.folder / files.CURVES, self.folder.name)

    def _save(self) -> None:
        self.counters.scaler = self.scaler.state_dict()
        save_state(self.folder / files.STATE, self.counters, self.method, self.best, self.optimiser)

    def _interrupted(self) -> Interrupted:
        return Interrupted(
            f"stopped after step {self.counters.step} of {self.feed.timetable.steps}, all is saved; go on with: "
            f"sketchseek train --out {self.folder} --resume"
        )

    def _astray(self, name: str, value: float, clock: Clock) -> TrainingError:
        return TrainingError(
            f"{name} is {value} in step {clock.step + 1} (epoch {clock.epoch + 1}) of the recipe "
            f"{self.folder / files.RECIPE}, so training stops: lower lr, add warmup or --set amp=off in a new run"
        )


def seed_step(seed: int, step: int, rank: int) -> None:
    """Every step begins from random states of its own, so that none has to be saved to go on from it."""
    digest = hashlib.sha256(f"{seed}:{step}:{rank}".encode()).digest()
    torch.manual_seed(int.from_bytes(digest[:8], "little") >> 1)
    np.random.seed(int.from_bytes(digest[8:12], "little"))
    random.seed(digest[12:20])


@contextmanager
def explain_memory(recipe: Recipe) -> Iterator[None]:
    """Out of memory, in one sentence."""
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
