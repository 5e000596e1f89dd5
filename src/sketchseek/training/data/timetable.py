"""Which sketches each step trains on: a function of seed and step, so that a training can resume at any step."""

from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate, count

import numpy as np

from sketchseek.datasets import DatasetError
from sketchseek.datasets.samplers import category_pure, classes_by_items, shuffled
from sketchseek.methods.method import BatchPlan
from sketchseek.training.data.material import Rows
from sketchseek.training.errors import TrainingError


class Timetable:
    """The steps of a training, over all processes together.

    ``batch`` and ``parts`` are those of all ``processes``; each computes its share of the batch in its parts.
    """

    def __init__(
        self,
        labels: Rows,
        plan: BatchPlan,
        *,
        batch: int,
        parts: int,
        processes: int = 1,
        epochs: int,
        steps: int | None,
        seed: int,
    ) -> None:
        self._labels, self._plan, self._batch, self._seed = labels, plan, batch, seed
        if plan.kind == "pk" and batch // parts % plan.per_class:
            raise TrainingError(
                f"batches of {plan.per_class} sketches a class need a multiple of {plan.per_class} in each part, not "
                f"{batch // parts}: change batch or accumulate"
            )
        self._batches_of = lru_cache(maxsize=2)(self._sample)
        # Only the pk sampler gives epochs of different lengths.
        try:
            first = len(self._batches_of(0))
        except DatasetError as error:
            raise TrainingError(f"{error}; {_way_out(labels, plan, parts // processes, processes)}") from error
        ends = []
        for epoch, end in enumerate(accumulate(self._lengths(first)), start=1):
            ends.append(end)
            if epoch == epochs if steps is None else end >= steps:
                break
        self._ends = ends  # the number of steps at the end of each epoch
        self.steps = ends[-1] if steps is None else steps

    def _lengths(self, first: int) -> Iterator[int]:
        return (first if self._plan.kind != "pk" else len(self._sample(epoch)) for epoch in count())

    def epoch_of(self, step: int) -> int:
        """The epoch of a step, both counted from 0."""
        return bisect_right(self._ends, step)

    def ends_epoch(self, step: int) -> bool:
        """Whether an epoch ends after ``step`` steps."""
        return self._ends[self.epoch_of(step - 1)] == step

    def rows(self, step: int) -> tuple[Rows, int]:
        """The sketches of a step, and the position of the first of them in its epoch."""
        epoch = self.epoch_of(step)
        number = step - (self._ends[epoch - 1] if epoch else 0)
        return np.asarray(self._batches_of(epoch)[number]), number * self._batch

    def _sample(self, epoch: int) -> list[Rows]:
        if self._plan.kind == "pk":
            classes = self._batch // self._plan.per_class
            return classes_by_items(self._labels, classes, self._plan.per_class, seed=self._seed, epoch=epoch)
        if self._plan.kind == "category-pure":
            return category_pure(self._labels, self._batch, seed=self._seed, epoch=epoch)
        return shuffled(len(self._labels), self._batch, seed=self._seed, epoch=epoch)


def _way_out(labels: Rows, plan: BatchPlan, accumulate: int, processes: int) -> str:
    """What to set where no batch can be filled: the largest ``batch`` of one process that fits."""
    counts = np.unique(labels, return_counts=True)[1]
    if plan.kind == "pk":
        unit, room = plan.per_class, int((counts >= plan.per_class).sum()) * plan.per_class
    else:
        unit, room = 1, int(counts.max() if plan.kind == "category-pure" else len(labels))
    share = room // processes
    fitting = share - share % (accumulate * unit)
    if not fitting:
        smaller = f"per_class={int(counts.max())}" if plan.kind == "pk" and not room else "accumulate=1"
        return f"set a smaller batch, and --set {smaller}"
    if plan.kind == "category-pure" and (every := int(counts.min()) // processes // accumulate * accumulate):
        return f"set --set batch={fitting} at most; up to --set batch={every} all classes are used"
    return f"set --set batch={fitting} at most"
