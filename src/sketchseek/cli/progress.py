"""The one progress display: bars on a terminal; elsewhere nothing, or plain lines. All of it goes to stderr."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sketchseek.cli.output import print_message

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

SECONDS_BETWEEN_LINES = 10.0
MIN_COUNT_FOR_LINE = 100  # a stage of fewer items ends without a line of its own


class Bars:
    """Bars on a terminal, each known by the name of what it counts."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def update(self, name: str, done: int, total: int | None, *, label: str = "", status: str = "") -> None:
        """Move the bar ``name``; the first call adds it. ``total`` None: not known yet."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total, status="")
        self._progress.update(self._tasks[name], completed=done, total=total, description=label or name, status=status)

    def remove(self, name: str) -> None:
        self._progress.remove_task(self._tasks.pop(name))

    @contextmanager
    def counting(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar for as long as the context lasts; call the yielded function with how many more are done."""
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            self.update(name, done, total)

        self.update(name, 0, total)
        try:
            yield advance
        finally:
            self.remove(name)

    def print_line(self, sentence: str) -> None:
        """A line above the bars."""
        self._progress.console.print(sentence, markup=False, highlight=False)


@contextmanager
def open_bars(console: "Console | None" = None, *, time_left: bool = True) -> Iterator[Bars | None]:
    """Bars on stderr (or ``console``); None where that is not a terminal. rich is imported only where there is one."""
    if console is None and not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

    columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()]
    columns += [TextColumn("{task.fields[status]}", markup=False), *([TimeRemainingColumn()] if time_left else [])]
    with Progress(*columns, console=console or Console(stderr=True), transient=True) as progress:
        yield Bars(progress)


@contextmanager
def counting(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """One bar, moved by the yielded function; nothing where stderr is not a terminal."""
    with open_bars() as bars:
        if bars is None:
            yield lambda _: None
        else:
            with bars.counting(name, total) as advance:
                yield advance


@contextmanager
def stages() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each stage, moved by the yielded function: called with the stage, how much is done, of how much.

    Without a terminal: a line every 10 seconds, and one at the end of each long stage.
    """
    with open_bars() as bars:
        yield _print_stages() if bars is None else _stage_bars(bars)


def _stage_bars(bars: Bars) -> Callable[[str, int, int], None]:
    def update(stage: str, done: int, total: int) -> None:
        bars.update(stage, done, total)
        if done >= total:
            bars.remove(stage)

    return update


def _print_stages() -> Callable[[str, int, int], None]:
    last = time.monotonic()

    def update(stage: str, done: int, total: int) -> None:
        nonlocal last
        ended = done == total and total >= MIN_COUNT_FOR_LINE
        if ended or time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print_message(f"{stage}: {done} of {total}")

    return update
