"""How a training shows itself: bars on a terminal, plain lines elsewhere; all of it on stderr."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from sketchseek.training.progress import Progress, StepReport


def display() -> AbstractContextManager[Progress]:
    """What fits the place stderr goes to."""
    console = Console(stderr=True)
    return _bars(console) if console.is_terminal else nullcontext(Lines())


def line(report: StepReport) -> str:
    """Losses by name, speed and time left."""
    losses = "  ".join(f"{name.removeprefix('loss:')} {value:.4g}" for name, value in report.losses.items())
    return f"{losses}  {report.images_per_second:.3g} images/s  {_time(report.seconds_left)} left"


def _validated(step: int, values: Mapping[str, float], best: bool) -> str:
    figures = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
    return f"validation after step {step}: {figures}{', the best so far' if best else ''}"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


class Lines:
    """A line for each thing; of countable things, one when they begin."""

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        self.say(f"{what}: {total}")
        yield lambda _: None

    def say(self, sentence: str) -> None:
        click.echo(sentence, err=True)

    def report(self, report: StepReport) -> None:
        self.say(f"epoch {report.epoch + 1}  step {report.step}/{report.steps}  {line(report)}")

    def validated(self, step: int, values: Mapping[str, float], best: bool) -> None:
        self.say(_validated(step, values, best))


@contextmanager
def _bars(console: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[about]}"))
    with Bars(*columns, console=console, transient=True) as bars:
        yield Terminal(bars)


class Terminal:
    """A bar for the training, and one for what goes on beside it."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._training: TaskID | None = None

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        task = self._bars.add_task(what, total=total, about="")
        try:
            yield lambda count: self._bars.advance(task, count)
        finally:
            self._bars.remove_task(task)

    def say(self, sentence: str) -> None:
        self._bars.console.print(sentence, markup=False, highlight=False)

    def report(self, report: StepReport) -> None:
        if self._training is None:
            self._training = self._bars.add_task("training", total=report.steps, about="")
        self._bars.update(
            self._training, completed=report.step, description=f"epoch {report.epoch + 1}", about=line(report)
        )

    def validated(self, step: int, values: Mapping[str, float], best: bool) -> None:
        self.say(_validated(step, values, best))
