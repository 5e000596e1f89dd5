import threading
import time
from collections.abc import Generator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.parallel import map_ahead


@given(st.lists(st.integers(), max_size=40), st.integers(1, 4), st.integers(1, 9))
def test_results_are_those_of_map(items: list[int], workers: int, depth: int) -> None:
    assert list(map_ahead(lambda item: item * 2, items, workers=workers, depth=depth)) == [item * 2 for item in items]


def test_keeps_the_order_when_early_items_are_slow() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)
        return item

    assert list(map_ahead(slow_first, range(8), workers=4, depth=8)) == list(range(8))


@pytest.mark.parametrize("depth", [1, 3])
def test_takes_no_more_than_depth_items_ahead(depth: int) -> None:
    taken = 0

    def counted() -> Iterator[int]:
        nonlocal taken
        for item in range(20):
            taken += 1
            yield item

    for done, _ in enumerate(map_ahead(lambda item: item, counted(), workers=2, depth=depth), start=1):
        assert taken <= done + depth


def test_an_error_comes_at_its_turn_and_the_threads_end() -> None:
    def fail_at_three(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        return item

    seen = []
    with pytest.raises(ValueError, match="three"):
        for item in map_ahead(fail_at_three, range(100), workers=2, depth=4):
            seen.append(item)
    assert seen == [0, 1, 2]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("map_ahead")]


def test_leaving_early_drops_what_has_not_begun() -> None:
    started: list[int] = []
    results = map_ahead(started.append, range(1000), workers=1, depth=10)
    next(results)
    assert isinstance(results, Generator)
    results.close()
    assert len(started) <= 11
