"""Evaluate a model on a dataset by a protocol: encode, rank, score, and keep everything a reader needs to judge it."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.datasets import Dataset, Drawing, Photo, Variant
from sketchseek.errors import SketchseekError
from sketchseek.evaluation.bootstrap import LEVEL
from sketchseek.evaluation.curve import RECALLS, CurveOf
from sketchseek.evaluation.metrics import DEFAULT_KS
from sketchseek.evaluation.papers import Comparison, compare, tables_for
from sketchseek.evaluation.protocols import Setting, Task, build_task
from sketchseek.evaluation.ranking import TIES, Ranks, rank_relevant
from sketchseek.evaluation.scoring import Scores, score
from sketchseek.evaluation.vectors.cache import VectorCache
from sketchseek.evaluation.vectors.encoding import Watch
from sketchseek.evaluation.vectors.tasks import Support, TaskVectors, vectorise
from sketchseek.model import Model, is_category_model
from sketchseek.wording import counted

DEFAULT_RESAMPLES = 1000


@dataclass(frozen=True)
class Options:
    """How to measure what a setting asks for."""

    gallery: Variant | None = None  # None: zse, and each photo once for fine-grained
    ks: tuple[int, ...] | None = None
    resamples: int = DEFAULT_RESAMPLES  # of the intervals; 0 for none
    skip_broken: bool = False
    transductive: bool = False


@dataclass(frozen=True)
class Outcome:
    """One ranking of one gallery, scored."""

    task: Task  # without what was excluded
    queries: NDArray[np.float32]  # (n, d), rows as in the task
    gallery: NDArray[np.float32]  # (m, d)
    scores: Scores
    curve: NDArray[np.float64]  # (11,) mean interpolated precision at RECALLS

    def labels(self, dataset: Dataset) -> NDArray[np.str_]:
        """The class of each query in words."""
        return np.array([dataset.classes[drawing.label] for drawing in self.task.queries], np.str_)


@dataclass(frozen=True)
class Evaluation:
    """A result with everything that it depends on."""

    dataset: Dataset
    model: dict[str, Any]  # name, identity, size
    main: Outcome
    other: Outcome | None  # with the other gallery variant, where that is another gallery
    intervals: dict[str, tuple[float, float]] | None
    resamples: int
    seed: int
    excluded: dict[str, dict[str, str]]  # queries, gallery: path -> why it cannot be opened
    support: tuple[Support, ...]  # of a model that is adapted to each category
    transductive: bool
    computed: dict[str, int]  # sketches, photos: how many went through the model and not through the cache
    seconds: float
    notes: tuple[str, ...]
    comparison: Comparison | None  # with the papers' tables of this protocol and split, where there are some

    @property
    def unit(self) -> str:
        """What the bootstrap draws."""
        return "photo" if _knows_pairs(self.main.task) else "query"

    def headline(self) -> list[str]:
        """The metrics to show first: all that mean something at this level."""
        names = self.main.scores.metrics
        if self.main.task.by == "instance":
            return [*(name for name in names if name.startswith("acc@")), "mean_rank"]
        return [name for name in names if not name.startswith("acc@") and name != "mean_rank"]

    def per_class(self) -> dict[str, dict[str, float]]:
        """Means over the queries of each class, by its name in words."""
        return self.main.scores.per_class(self.main.labels(self.dataset))

    def to_json(self) -> dict[str, Any]:
        """The whole result as plain data; only ``seconds`` and ``encoded`` change from one run to the next."""
        task = self.main.task
        found: dict[str, Any] = {
            "metrics": self.main.scores.means(),
            "intervals": self.intervals,
            "bootstrap": {"resamples": self.resamples, "level": LEVEL, "unit": self.unit} if self.intervals else None,
            "per_class": self.per_class(),
            "protocol": task.to_json(),
            "queries": len(self.main.scores.rows),
            "queries_without_relevant": len(task.queries) - len(self.main.scores.rows),
            "gallery": len(task.gallery),
            "other_gallery": None,
            "classes": [self.dataset.classes[label] for label in task.classes],
            "dataset": {"name": self.dataset.name, "layout": self.dataset.layout},
            "model": self.model,
            "subset": task.subset,
            "seed": self.seed,
            "ties": TIES,
            "excluded": self.excluded,
            "transductive": self.transductive,
            "support": [vars(support) for support in self.support],
            "notes": list(self.notes),
            "papers": None,
            "encoded": self.computed,
            "seconds": self.seconds,
        }
        if task.by == "label":
            found["precision_recall"] = {"recall": list(RECALLS), "precision": self.main.curve.tolist()}
        if self.other:
            found["other_gallery"] = {
                "gallery_variant": self.other.task.gallery_variant,
                "gallery": len(self.other.task.gallery),
                "metrics": self.other.scores.means(),
            }
        if self.comparison:
            found["papers"] = {
                "comparable": self.comparison.comparable,
                "because": self.comparison.sentence,
                "tables": [table.id for table in tables_for(task)],
            }
        return found


def evaluate(
    model: Model,
    dataset: Dataset,
    setting: Setting,
    cache: VectorCache,
    options: Options,
    watch: Watch,
) -> Evaluation:
    """Encode the pictures that ``setting`` asks for, rank and score them. ``watch`` is told of the progress."""
    start = time.perf_counter()
    tasks = _tasks(dataset, setting, options.gallery)
    _check_fit(model, tasks[0], options)
    found = vectorise(model, dataset, tasks, cache, watch, seed=setting.seed, transductive=options.transductive)
    if found.broken and not options.skip_broken:
        raise _broken(found.broken)
    ks = options.ks or DEFAULT_KS[tasks[0].by]
    outcomes = [_measure(vectors, ks, watch) for vectors in found.tasks]
    main = outcomes[0]
    intervals = None
    if options.resamples:
        clusters = _drawn_photos(main.task)
        intervals = main.scores.intervals(resamples=options.resamples, seed=setting.seed, clusters=clusters)
    set_aside = 0 if options.transductive else len(found.support)
    return Evaluation(
        dataset=dataset,
        model={"name": model.name, "identity": model.identity, "size": model.size},
        main=main,
        other=outcomes[1] if len(outcomes) > 1 else None,
        intervals=intervals,
        resamples=options.resamples,
        seed=setting.seed,
        excluded={
            "queries": _among(found.broken, tasks[0].queries),
            "gallery": _among(found.broken, [photo for task in tasks for photo in task.gallery]),
        },
        support=found.support,
        transductive=options.transductive,
        computed=found.computed,
        seconds=round(time.perf_counter() - start, 3),
        notes=tuple(_notes(model, dataset, main, found.support, options)),
        comparison=compare(main.task, set_aside) if tables_for(main.task) else None,
    )


def _knows_pairs(task: Task) -> bool:
    return any(drawing.instance for drawing in task.queries)


def _drawn_photos(task: Task) -> NDArray[np.intp] | None:
    """A number for the photo each query draws, as sketches of one photo depend on each other; None: none is known."""
    if not _knows_pairs(task):
        return None
    return np.unique([drawing.instance or drawing.path for drawing in task.queries], return_inverse=True)[1]


def _among(broken: dict[str, str], items: Iterable[Drawing | Photo]) -> dict[str, str]:
    """What of ``items`` cannot be opened, and why."""
    paths = {item.path for item in items}
    return {path: reason for path, reason in broken.items() if path in paths}


def _tasks(dataset: Dataset, setting: Setting, wanted: Variant | None) -> list[Task]:
    """The task with the gallery that is wanted and, where it differs, with the other one."""
    if setting.protocol == "fine-grained":
        if wanted == "zse":
            raise SketchseekError("fine-grained ranks each photo once: leave out --gallery zse")
        return [build_task(dataset, setting, "dedup")]
    first: Variant = wanted or "zse"
    second: Variant = "dedup" if first == "zse" else "zse"
    tasks = [build_task(dataset, setting, variant) for variant in (first, second)]
    if tasks[0].gallery != tasks[1].gallery:
        return tasks
    same = f"{first}, which is the same as {second} here: no photo is there twice"
    return [replace(tasks[0], sentences={**tasks[0].sentences, "gallery_variant": same})]


def _check_fit(model: Model, task: Task, options: Options) -> None:
    adapted = is_category_model(model) and task.protocol == "fine-grained"
    if adapted and not task.within_class:
        raise SketchseekError(
            f"the model {model.name} is adapted to one category at a time, so its vectors of two categories cannot be"
            " compared: leave out --across"
        )
    if options.transductive and not adapted:
        raise SketchseekError(
            "--transductive is about the support pictures of a model that is adapted to each category, with the"
            f" protocol fine-grained; {model.name} with {task.protocol} has none"
        )


def _measure(vectors: TaskVectors, ks: tuple[int, ...], watch: Watch) -> Outcome:
    task = vectors.task
    ranks = rank_relevant(vectors.queries, vectors.gallery, task.relevance())
    curve = CurveOf(_watched(ranks, len(task.queries), f"ranking {task.gallery_variant}", watch))
    scores = score(curve, ks)
    return Outcome(task, vectors.queries, vectors.gallery, scores, curve.mean())


def _watched(ranks: Iterable[Ranks], queries: int, what: str, watch: Watch) -> Iterator[Ranks]:
    done = 0
    for part in ranks:
        yield part
        done += len(part.queries)
        watch(what, done, queries)


def _broken(broken: dict[str, str]) -> SketchseekError:
    shown = "; ".join(f"{path}: {reason}" for path, reason in list(broken.items())[:5])
    more = f"; and {len(broken) - 5} more" if len(broken) > 5 else ""
    return SketchseekError(
        f"{counted(len(broken), 'picture')} cannot be opened ({shown}{more}): mend or remove what is broken,"
        " or leave it out of the result with --skip-broken"
    )


def _notes(
    model: Model, dataset: Dataset, main: Outcome, support: tuple[Support, ...], options: Options
) -> Iterator[str]:
    """What a reader must know beside the numbers, a sentence each."""
    task = main.task
    asked = {drawing.label for drawing in task.queries}
    silent = [dataset.classes[label] for label in task.classes if label not in asked]
    if silent:
        yield f"{counted(len(silent), 'class', 'classes')} without a query: {', '.join(silent)}"
    lost = len(task.queries) - len(main.scores.rows)
    if lost:
        yield f"Not counted: {counted(lost, 'query', 'queries')} without a right photo in the gallery"
    if support and options.transductive:
        yield "Transductive: the model was adapted with sketches and photos that are themselves queries and gallery"
    elif support:
        yield "The model was adapted to each class with 1 sketch, which is no query, and 2 photos, which stay in it"
    elif is_category_model(model):
        yield "The model can be adapted to a known category; this protocol does not tell the category, so it was not"
