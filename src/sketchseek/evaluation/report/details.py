"""What the report and the figures show besides the means: lists of photos, confusions, ranks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sketchseek.datasets import Drawing, Photo
from sketchseek.evaluation.evaluate import Evaluation
from sketchseek.evaluation.report.toplists import TopLists, confusion, top_photos

TOP = 10
MAX_CLASSES = 24  # with lists of photos; limits the size of a report


@dataclass(frozen=True)
class Listed:
    """One query and the top of its list."""

    query: Drawing
    photos: tuple[tuple[Photo, bool], ...]  # best first, and whether it is right
    precision: float  # average precision over the whole list; 1 / rank where one photo is right
    rank: int  # of the first right photo
    missed: Photo | None  # the right photo, if there is only one and it is not in ``photos``


@dataclass(frozen=True)
class ClassLists:
    """The best and the worst query of a class."""

    name: str
    best: Listed
    worst: Listed | None  # None if the class has one query


@dataclass(frozen=True)
class Confusion:
    """Of which classes the top photos are."""

    classes: tuple[str, ...]  # in words
    others: tuple[str, ...]  # classes of the gallery that have no query
    shares: NDArray[np.float64]  # (classes, classes + others), each row sums to 1

    def collapsed(self) -> tuple[list[str], NDArray[np.float64]]:
        """Names and shares (classes, columns) with all the others as one column, if there are any."""
        count = len(self.classes)
        if not self.others:
            return list(self.classes), self.shares
        rest = self.shares[:, count:].sum(axis=1, keepdims=True)
        return [*self.classes, "other classes"], np.hstack([self.shares[:, :count], rest])


@dataclass(frozen=True)
class Details:
    """The details of one evaluation."""

    lists: tuple[ClassLists, ...]  # sorted by class
    classes_with_lists: str  # a description of these classes
    confusion: Confusion | None  # None if queries are compared only with photos of their own class
    ranks: NDArray[np.int64]  # (n,) of the first right photo
    ranked: int  # photos in the longest list


def collect_details(result: Evaluation) -> Details:
    """The details of the main outcome."""
    outcome = result.main
    task = outcome.task
    tops = top_photos(outcome.queries, outcome.gallery, task.relevance(), TOP, result.look, outcome.outlines)
    metrics = outcome.scores.metrics
    precisions = outcome.scores.values[:, metrics.index("map@all")]
    ranks = outcome.scores.values[:, metrics.index("mean_rank")].astype(np.int64)
    labels = np.array([drawing.label for drawing in task.queries])
    own = labels[outcome.scores.rows]
    chosen, which = _classes_with_lists({label: float(precisions[own == label].mean()) for label in np.unique(own)})
    by_instance = {photo.instance: photo for photo in task.gallery}

    def listed(place: int) -> Listed:
        row = outcome.scores.rows[place]
        query = task.queries[row]
        top = tuple(
            (task.gallery[photo], bool(right))
            for photo, right in zip(tops.photos[row], tops.right[row], strict=True)
            if photo >= 0
        )
        hidden = task.by == "instance" and ranks[place] > TOP
        missed = by_instance[str(query.instance)] if hidden else None
        return Listed(query, top, float(precisions[place]), int(ranks[place]), missed)

    lists = []
    for label in chosen:
        places = np.flatnonzero(own == label)
        places = places[np.argsort(-precisions[places], kind="stable")]
        worst = listed(places[-1]) if len(places) > 1 else None
        lists.append(ClassLists(result.dataset.classes[label], listed(places[0]), worst))
    sizes = task.sizes()
    return Details(
        tuple(lists),
        which,
        None if task.within_class else _confusion(result, tops),
        ranks,
        sizes["largest_class"] if task.within_class else len(task.gallery),
    )


def _classes_with_lists(means: dict[str, float]) -> tuple[list[str], str]:
    """All classes, or the best and the worst if there are too many to show."""
    if len(means) <= MAX_CLASSES:
        return sorted(means), f"all {len(means)} classes"
    ranked = sorted(means, key=lambda label: (-means[label], label))
    half = MAX_CLASSES // 2
    return sorted(ranked[:half] + ranked[-half:]), f"the {half} best and the {half} worst of {len(means)} classes"


def _confusion(result: Evaluation, tops: TopLists) -> Confusion:
    task = result.main.task
    names = result.dataset.classes
    others = sorted({photo.label for photo in task.gallery} - set(task.classes))
    shares = confusion(
        tops,
        np.array([drawing.label for drawing in task.queries]),
        np.array([photo.label for photo in task.gallery]),
        [*task.classes, *others],
        len(task.classes),
    )
    return Confusion(tuple(names[label] for label in task.classes), tuple(names[label] for label in others), shares)
