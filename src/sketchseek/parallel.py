"""Cores, batches, and a map that runs in threads ahead of its consumer."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, depth: int
) -> Iterator[Result]:
    """``function(item)`` for each item, in order, computed by threads up to ``depth`` items in advance.

    An exception of ``function`` is raised at its item's turn. If the consumer stops early, calls that have not started
    are cancelled.
    """
    source = iter(items)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="map_ahead")
    try:
        waiting: deque[Future[Result]] = deque(pool.submit(function, item) for item in islice(source, depth))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(source, 1))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


Part = TypeVar("Part", covariant=True)


class Sliceable(Protocol[Part]):
    """A sequence, an array or a tensor: it has a length and can be sliced."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Part: ...


def batches(items: Sliceable[Part], size: int) -> Iterator[tuple[int, Part]]:
    """(start, items) of each batch of ``size`` items; the last one may be smaller."""
    for start in range(0, len(items), size):
        yield start, items[start : start + size]


def usable_cores() -> int:
    """The number of cores this process may use; in a container often fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
