"""How ``train`` shows its progress: bars on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from sketchseek.cli.output import print_message
from sketchseek.cli.progress import Bars, open_bars
from sketchseek.training.progress import Progress, StepReport


@contextmanager
def training_display() -> Iterator[Progress]:
    """The display that suits stderr."""
    with open_bars(time_left=False) as bars:  # a report has the time left
        yield TrainingLines() if bars is None else TrainingBars(bars)


def describe_step(report: StepReport) -> str:
    """Losses by name, speed and time left."""
    losses = "  ".join(f"{name.removeprefix('loss:')} {value:.4g}" for name, value in report.losses.items())
    return f"{losses}  {report.images_per_second:.3g} images/s  {_clock_time(report.seconds_left)} left"


def describe_validation(step: int, values: Mapping[str, float], best: bool) -> str:
    """The metrics after a step, and whether they are the best so far."""
    metrics = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
    return f"validation after step {step}: {metrics}{', the best so far' if best else ''}"


def _clock_time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


class TrainingLines:
    """One line per event; a task prints one line when it starts."""

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        print_message(f"{name}: {total}")
        yield lambda _: None

    def report(self, report: StepReport) -> None:
        print_message(f"epoch {report.epoch + 1}  step {report.step}/{report.steps}  {describe_step(report)}")

    def validated(self, step: int, values: Mapping[str, float], best: bool) -> None:
        print_message(describe_validation(step, values, best))


class TrainingBars:
    """One bar for the training, and one for each task that runs."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars

    def task(self, name: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        return self._bars.counting(name, total)

    def report(self, report: StepReport) -> None:
        label = f"epoch {report.epoch + 1}"
        self._bars.update("training", report.step, report.steps, label=label, status=describe_step(report))

    def validated(self, step: int, values: Mapping[str, float], best: bool) -> None:
        self._bars.print_line(describe_validation(step, values, best))
