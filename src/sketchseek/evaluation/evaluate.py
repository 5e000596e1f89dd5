"""Evaluate a model on a dataset with a protocol: encode, rank, score, and record all that the result depends on."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.datasets import Dataset, Drawing, Photo, Variant
from sketchseek.errors import SketchseekError
from sketchseek.evaluation.bootstrap import LEVEL
from sketchseek.evaluation.curve import RECALLS, CurveOf
from sketchseek.evaluation.distractors import add_distractors, find_distractors
from sketchseek.evaluation.metrics import DEFAULT_KS
from sketchseek.evaluation.papers import Comparison, compare, tables_for
from sketchseek.evaluation.protocols import ProtocolOptions, Task, build_task
from sketchseek.evaluation.ranking import TIES, Ranks, rank_relevant
from sketchseek.evaluation.scoring import Scores, score
from sketchseek.evaluation.second_look import Outlines
from sketchseek.evaluation.vectors.cache import VectorCache
from sketchseek.evaluation.vectors.category import Category, copies, label_of, open_support
from sketchseek.evaluation.vectors.encoding import ProgressFunction
from sketchseek.evaluation.vectors.tasks import Support, TaskVectors, encode_tasks
from sketchseek.model import Model, is_category_model
from sketchseek.neighbours import BLENDS, Look
from sketchseek.wording import counted

DEFAULT_RESAMPLES = 1000


@dataclass(frozen=True)
class Options:
    """How to measure a protocol."""

    gallery: Variant | None = None  # None: zse, and each photo once for fine-grained
    ks: tuple[int, ...] | None = None
    resamples: int = DEFAULT_RESAMPLES  # of the intervals; 0: no intervals
    skip_broken: bool = False
    transductive: bool = False
    look: Look = "direct"  # published metrics are defined on the direct ranking
    distractors: tuple[Path, ...] = ()  # folders of photos that are right for nothing
    category: Category | None = None  # adapt the model to this one; else, fine-grained, to each class by the seed


@dataclass(frozen=True)
class Outcome:
    """One ranking of one gallery, scored."""

    task: Task  # without excluded items
    queries: NDArray[np.float32]  # (n, d), rows as in the task
    gallery: NDArray[np.float32]  # (m, d)
    scores: Scores
    curve: NDArray[np.float64]  # (11,) mean interpolated precision at RECALLS
    outlines: Outlines | None = None

    def labels(self, dataset: Dataset) -> NDArray[np.str_]:
        """The class of each query in words."""
        return np.array([dataset.classes[drawing.label] for drawing in self.task.queries], np.str_)


@dataclass(frozen=True)
class Evaluation:
    """A result, and everything that it depends on."""

    dataset: Dataset
    model: dict[str, Any]  # name, identity, size
    main: Outcome
    other: Outcome | None  # with the other gallery variant, if that gallery differs
    intervals: dict[str, tuple[float, float]] | None
    resamples: int
    seed: int
    excluded: dict[str, dict[str, str]]  # queries, gallery: path -> why it cannot be opened
    support: tuple[Support, ...]  # of a model that is adapted to each category
    transductive: bool
    category: str | None  # in words: the one that the model was adapted to by chosen pictures
    look: Look
    computed: dict[str, int]  # sketches, photos: how many were encoded now and did not come from the cache
    seconds: float
    notes: tuple[str, ...]
    comparison: Comparison | None  # with the papers' tables of this protocol and split, if there are any

    @property
    def unit(self) -> str:
        """What the bootstrap resamples."""
        return "photo" if _knows_pairs(self.main.task) else "query"

    def conditions(self) -> list[str]:
        """What makes these other numbers than the protocol's, in a few words each: on every table, page and figure."""
        task, found = self.main.task, []
        if task.subset:
            found.append(f"subset: {task.subset}")
        if self.look != "direct":
            found.append(f"look {self.look}: uses the gallery")
        if task.distractors:
            found.append(f"among {counted(task.distractors, 'distractor')}")
        if self.category:
            found.append(f"adapted to {self.category} by chosen pictures")
        return found

    def headline(self) -> list[str]:
        """The metrics to show: all that make sense at this level."""
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
            "look": self.look,
            "uses_gallery": self.look != "direct",
            "distractors": task.distractors,
            "seed": self.seed,
            "ties": TIES,
            "excluded": self.excluded,
            "transductive": self.transductive,
            "category": self.category,
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
    protocol: ProtocolOptions,
    cache: VectorCache,
    options: Options,
    progress: ProgressFunction,
) -> Evaluation:
    """Encode the pictures of ``protocol``, rank and score them; ``progress`` is called as the work advances."""
    start = time.perf_counter()
    chosen: Support | None = None
    if options.category:
        model, chosen = _adapt(model, dataset, options.category)
    tasks = _build_tasks(dataset, protocol, options.gallery)
    _check_fit(model, tasks[0], options)
    set_aside: set[str] = set()
    if options.category and chosen and not options.transductive:
        set_aside = copies(dataset, tasks[0].queries, tuple(map(Path, chosen.sketches)))
        tasks = [task.without(set_aside) for task in tasks]
    if options.distractors:
        photos = find_distractors(options.distractors, dataset)
        dataset, tasks = add_distractors(dataset, tasks, photos, options.distractors)
    encoded = encode_tasks(
        model,
        dataset,
        tasks,
        cache,
        progress,
        seed=protocol.seed,
        transductive=options.transductive,
        outlines=options.look != "direct" and BLENDS[options.look].outlines > 0,
    )
    if encoded.broken and not options.skip_broken:
        raise _broken_pictures(encoded.broken)
    ks = options.ks or DEFAULT_KS[tasks[0].by]
    outcomes = [_measure(vectors, ks, options.look, progress) for vectors in encoded.tasks]
    main = outcomes[0]
    intervals = None
    if options.resamples:
        clusters = _drawn_photos(main.task)
        intervals = main.scores.intervals(resamples=options.resamples, seed=protocol.seed, clusters=clusters)
    support = (chosen,) if chosen else encoded.support
    if not options.transductive:
        set_aside |= {path for one in encoded.support for path in one.sketches}
    return Evaluation(
        dataset=dataset,
        model={"name": model.name, "identity": model.identity, "size": model.size},
        main=main,
        other=outcomes[1] if len(outcomes) > 1 else None,
        intervals=intervals,
        resamples=options.resamples,
        seed=protocol.seed,
        excluded={
            "queries": _among(encoded.broken, tasks[0].queries),
            "gallery": _among(encoded.broken, [photo for task in tasks for photo in task.gallery]),
        },
        support=support,
        transductive=options.transductive,
        category=chosen.name if chosen else None,
        look=options.look,
        computed=encoded.computed,
        seconds=round(time.perf_counter() - start, 3),
        notes=tuple(_notes(model, dataset, main, support, options)),
        comparison=compare(main.task, len(set_aside), options.look, chosen is not None)
        if tables_for(main.task)
        else None,
    )


def _adapt(model: Model, dataset: Dataset, category: Category) -> tuple[Model, Support]:
    """The model of one category, adapted by chosen pictures; it is measured like any other."""
    adaptable, sketches, photos = category.split(model)
    name = dataset.classes[label_of(category, dataset)]
    adapted = adaptable.for_category(name, *open_support(adaptable, sketches, photos))
    return adapted, Support(name, tuple(map(str, sketches)), tuple(map(str, photos)))


def _knows_pairs(task: Task) -> bool:
    return any(drawing.instance for drawing in task.queries)


def _drawn_photos(task: Task) -> NDArray[np.intp] | None:
    """A number for the photo that each query draws: sketches of one photo are not independent. None: unknown."""
    if not _knows_pairs(task):
        return None
    return np.unique([drawing.instance or drawing.path for drawing in task.queries], return_inverse=True)[1]


def _among(broken: dict[str, str], items: Iterable[Drawing | Photo]) -> dict[str, str]:
    """Those of ``items`` that cannot be opened, and why."""
    paths = {item.path for item in items}
    return {path: reason for path, reason in broken.items() if path in paths}


def _build_tasks(dataset: Dataset, protocol: ProtocolOptions, variant: Variant | None) -> list[Task]:
    """The task with the gallery ``variant`` and, if it differs, with the other one."""
    if protocol.name == "fine-grained":
        if variant == "zse":
            raise SketchseekError("fine-grained ranks each photo once: omit --gallery zse")
        return [build_task(dataset, protocol, "dedup")]
    first: Variant = variant or "zse"
    second: Variant = "dedup" if first == "zse" else "zse"
    tasks = [build_task(dataset, protocol, one) for one in (first, second)]
    if tasks[0].gallery != tasks[1].gallery:
        return tasks
    same = f"{first}, which is the same as {second} here: no photo is in it twice"
    return [replace(tasks[0], sentences={**tasks[0].sentences, "gallery_variant": same})]


def _check_fit(model: Model, task: Task, options: Options) -> None:
    adapted = is_category_model(model) and task.protocol == "fine-grained"
    if adapted and not task.within_class:
        raise SketchseekError(
            f"the model {model.name} is adapted to one category at a time, so its vectors of two categories cannot be"
            " compared: omit --across"
        )
    if options.distractors and task.within_class:
        raise SketchseekError(
            "the protocol fine-grained compares a sketch with the photos of its class, so distractors change nothing:"
            " rank the photos of all classes with --across, or omit --distractors"
        )
    if options.transductive and not (adapted or options.category):
        raise SketchseekError(
            "--transductive is for a model that is adapted to each category, with the protocol fine-grained;"
            f" {model.name} is not adapted with the protocol {task.protocol}"
        )


def _measure(vectors: TaskVectors, ks: tuple[int, ...], look: Look, progress: ProgressFunction) -> Outcome:
    task = vectors.task
    ranks = rank_relevant(vectors.queries, vectors.gallery, task.relevance(), look=look, outlines=vectors.outlines)
    curve = CurveOf(_with_progress(ranks, len(task.queries), f"ranking {task.gallery_variant}", progress))
    scores = score(curve, ks)
    return Outcome(task, vectors.queries, vectors.gallery, scores, curve.mean(), vectors.outlines)


def _with_progress(ranks: Iterable[Ranks], queries: int, stage: str, progress: ProgressFunction) -> Iterator[Ranks]:
    done = 0
    for part in ranks:
        yield part
        done += len(part.queries)
        progress(stage, done, queries)


def _broken_pictures(broken: dict[str, str]) -> SketchseekError:
    shown = "; ".join(f"{path}: {reason}" for path, reason in list(broken.items())[:5])
    more = f"; and {len(broken) - 5} more" if len(broken) > 5 else ""
    return SketchseekError(
        f"{counted(len(broken), 'picture')} cannot be opened ({shown}{more}): repair or remove them,"
        " or skip them with --skip-broken"
    )


def _notes(
    model: Model, dataset: Dataset, main: Outcome, support: tuple[Support, ...], options: Options
) -> Iterator[str]:
    """What a reader must know besides the numbers, one sentence each."""
    task = main.task
    with_query = {drawing.label for drawing in task.queries}
    without = [dataset.classes[label] for label in task.classes if label not in with_query]
    if without:
        yield f"{counted(len(without), 'class', 'classes')} without a query: {', '.join(without)}"
    uncounted = len(task.queries) - len(main.scores.rows)
    if uncounted:
        yield f"Not counted: {counted(uncounted, 'query', 'queries')} without a right photo in the gallery"
    if options.category:
        (chosen,) = support
        used = f"{counted(len(chosen.sketches), 'sketch', 'sketches')} and {counted(len(chosen.photos), 'photo')}"
        role = "still queries (transductive)" if options.transductive else "not queries"
        yield f"The model was adapted to {chosen.name} by {used} that were chosen; the sketches are {role}"
    elif support and options.transductive:
        yield "Transductive: the model was adapted with sketches and photos that are themselves queries and gallery"
    elif support:
        assert is_category_model(model)
        sketches, photos = model.support
        used = counted(sketches, "sketch", "sketches")
        shots = counted(photos, "photo")
        yield f"The model was adapted to each class with {used} (not queries) and {shots} of the gallery"
    elif is_category_model(model):
        yield "The model can be adapted to a known category; this protocol gives no category, so it was not adapted"
