"""What a training reports while it runs."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class StepReport:
    """Means over the steps since the last report."""

    epoch: int  # from 0
    step: int  # done so far
    steps: int  # in total
    losses: Mapping[str, float]
    images_per_second: float
    seconds_left: float


class Progress(Protocol):
    """Receives the progress of a training."""

    def task(self, name: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """A task of ``total`` items begins; call the yielded function with how many more are done."""

    def report(self, report: StepReport) -> None:
        """Some more steps are done."""

    def validated(self, step: int, values: Mapping[str, float], best: bool) -> None:
        """The state after ``step`` was measured: ``values`` by metric, and whether it is the best so far."""


class NoProgress:
    """Ignores progress."""

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda _: None

    def report(self, report: StepReport) -> None:
        pass

    def validated(self, step: int, values: Mapping[str, float], best: bool) -> None:
        pass
