"""What a training tells while it runs, and to whom."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class StepReport:
    """Means over the steps since the last report."""

    epoch: int  # from 0
    step: int  # done so far
    steps: int  # in all
    losses: Mapping[str, float]
    images_per_second: float
    seconds_left: float


class Progress(Protocol):
    """Somebody who listens."""

    def task(self, what: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Something countable goes on; call what is given with how many were done."""

    def say(self, sentence: str) -> None:
        """Something worth a line."""

    def report(self, report: StepReport) -> None:
        """Training goes on."""

    def validated(self, step: int, values: Mapping[str, float], best: bool) -> None:
        """A state was judged."""


class Silent:
    """Nobody listens."""

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda _: None

    def say(self, sentence: str) -> None:
        pass

    def report(self, report: StepReport) -> None:
        pass

    def validated(self, step: int, values: Mapping[str, float], best: bool) -> None:
        pass
