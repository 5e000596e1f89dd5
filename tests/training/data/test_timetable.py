import re

import numpy as np
import pytest

from sketchseek.datasets.samplers import category_pure, classes_by_items, shuffled
from sketchseek.methods.method import BatchPlan
from sketchseek.training.data.timetable import Timetable
from sketchseek.training.errors import TrainingError

LABELS = np.repeat(np.arange(5), [8, 8, 8, 8, 3])
WAYS_OUT = [
    (BatchPlan("shuffled"), 40, 1, 1, "set --set batch=35 at most"),
    (BatchPlan("shuffled"), 40, 2, 1, "set --set batch=34 at most"),  # in two equal parts
    (BatchPlan("shuffled"), 60, 2, 2, "set --set batch=17 at most"),  # in each of two processes
    (BatchPlan("category-pure"), 9, 1, 1, "set --set batch=8 at most; up to --set batch=3 all classes are used"),
    (BatchPlan("pk", 4), 24, 1, 1, "set --set batch=16 at most"),
    (BatchPlan("pk", 9), 9, 1, 1, "set a smaller batch, and --set per_class=8"),
]
PLANS = [BatchPlan("shuffled"), BatchPlan("pk", 2), BatchPlan("category-pure")]


def walked(plan: BatchPlan, batch: int, epochs: int) -> list[tuple[int, int, np.ndarray]]:
    """The slow way: (epoch, position, rows) of each step, epoch after epoch."""
    steps = []
    for epoch in range(epochs):
        if plan.kind == "pk":
            batches = classes_by_items(LABELS, batch // 2, 2, seed=9, epoch=epoch)
        elif plan.kind == "category-pure":
            batches = category_pure(LABELS, batch, seed=9, epoch=epoch)
        else:
            batches = shuffled(len(LABELS), batch, seed=9, epoch=epoch)
        steps += [(epoch, place * batch, rows) for place, rows in enumerate(batches)]
    return steps


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("batch", [4, 6])
def test_steps_are_those_of_epoch_after_epoch(plan: BatchPlan, batch: int) -> None:
    table = Timetable(LABELS, plan, batch=batch, parts=1, epochs=5, steps=None, seed=9)
    expected = walked(plan, batch, 5)
    assert table.steps == len(expected)
    for step in [*range(table.steps), 3, 0]:
        rows, first = table.rows(step)
        epoch, position, wanted = expected[step]
        assert (table.epoch_of(step), first) == (epoch, position)
        assert np.array_equal(rows, wanted)
    ends = [
        step + 1 for step in range(table.steps) if step + 1 == table.steps or expected[step + 1][0] != expected[step][0]
    ]
    assert [step for step in range(1, table.steps + 1) if table.ends_epoch(step)] == ends


@pytest.mark.parametrize("plan", PLANS)
def test_steps_overrule_epochs(plan: BatchPlan) -> None:
    for steps in (1, 4, 23):
        table = Timetable(LABELS, plan, batch=4, parts=1, epochs=2, steps=steps, seed=9)
        assert table.steps == steps
        assert len(table.rows(steps - 1)[0]) == 4


def test_parts_of_a_batch_by_classes_hold_whole_groups() -> None:
    Timetable(LABELS, BatchPlan("pk", 2), batch=8, parts=2, epochs=1, steps=None, seed=0)
    with pytest.raises(TrainingError, match="need a multiple of 2 in each part, not 1"):
        Timetable(LABELS, BatchPlan("pk", 2), batch=8, parts=8, epochs=1, steps=None, seed=0)


@pytest.mark.parametrize(("plan", "batch", "parts", "processes", "said"), WAYS_OUT)
def test_a_batch_that_is_too_large_says_what_to_set(
    plan: BatchPlan, batch: int, parts: int, processes: int, said: str
) -> None:
    given = {"parts": parts, "processes": processes, "epochs": 1, "steps": None, "seed": 0}
    with pytest.raises(TrainingError, match=f"; {said}$") as error:
        Timetable(LABELS, plan, batch=batch, **given)  # type: ignore[arg-type]
    if match := re.search(r"batch=(\d+) at most", str(error.value)):
        for fits, one in ((True, int(match[1])), (False, int(match[1]) + parts // processes * max(1, plan.per_class))):
            try:
                Timetable(LABELS, plan, batch=one * processes, **given)  # type: ignore[arg-type]
            except TrainingError:
                assert not fits
            else:
                assert fits
