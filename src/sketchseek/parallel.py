"""Run a function over items in threads, ahead of the consumer, with a bound on what waits."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, depth: int) -> Iterator[Result]:
    """Yield ``function(item)`` in the items' order while at most ``depth`` results are under way or waiting.

    An exception of ``function`` is raised at its item's turn. When the consumer leaves early, what has not begun
    is dropped.
    """
    source = iter(items)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ahead")
    try:
        waiting: deque[Future[Result]] = deque(pool.submit(function, item) for item in islice(source, depth))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(source, 1))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


One = TypeVar("One")


def batches(items: Sequence[One], size: int) -> Iterator[tuple[int, Sequence[One]]]:
    """(where it starts, ``size`` items or fewer at the end), one after another."""
    for start in range(0, len(items), size):
        yield start, items[start : start + size]


def usable_cores() -> int:
    """Cores this process may use; in a container fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
