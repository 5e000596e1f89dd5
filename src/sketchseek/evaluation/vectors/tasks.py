"""The vectors of whole tasks, encoded by one model or by a model that is adapted to each category."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.datasets import Dataset, Drawing, Photo
from sketchseek.errors import SketchseekError
from sketchseek.evaluation.protocols import Task
from sketchseek.evaluation.second_look import Outlines
from sketchseek.evaluation.seeded_choice import choose
from sketchseek.evaluation.vectors.cache import Kind, VectorCache
from sketchseek.evaluation.vectors.encoding import ProgressFunction, encode_files, open_picture
from sketchseek.model import CategoryModel, LinesModel, Model, has_lines, is_category_model
from sketchseek.outlines import BYTES, SIDE
from sketchseek.pictures import PictureError, ink_map, load_sketch

Vectors = dict[str, NDArray[np.float32]]  # path -> (d,)


@dataclass(frozen=True)
class TaskVectors:
    """A task without pictures that cannot be opened, and the vectors of its ``queries`` and ``gallery``, row by row."""

    task: Task
    queries: NDArray[np.float32]  # (n, d)
    gallery: NDArray[np.float32]  # (m, d)
    outlines: Outlines | None = None


@dataclass(frozen=True)
class Support:
    """The pictures with which a model was adapted to one class."""

    name: str  # of the class, in words
    sketches: tuple[str, ...]  # paths
    photos: tuple[str, ...]


@dataclass(frozen=True)
class EncodedTasks:
    """The vectors of all tasks, and how they were computed."""

    tasks: tuple[TaskVectors, ...]
    broken: dict[str, str]  # path -> why it cannot be opened
    support: tuple[Support, ...]
    computed: dict[str, int]  # sketches, photos: how many were encoded now


class _DatasetEncoder:
    """Encodes items of one dataset; counts them and collects what cannot be opened."""

    def __init__(self, dataset: Dataset, cache: VectorCache, progress: ProgressFunction) -> None:
        self._dataset, self._cache, self._progress = dataset, cache, progress
        self.broken: dict[str, str] = {}
        self.computed = {"sketches": 0, "photos": 0}

    def encode(
        self,
        model: Model,
        items: Sequence[Drawing | Photo],
        kind: Kind,
        of_class: str = "",
        outlines: bool = False,
    ) -> Vectors:
        """Vectors of those items that can be opened; ``outlines``: see ``encode_files``."""
        files = [self._dataset.file(item) for item in items]
        plural = {"sketch": "sketches", "photo": "photos", "lines": "outlines of photos"}[kind]
        what = f"{plural}{of_class}"
        found = encode_files(model, kind, files, self._cache, self._progress, what=what, outlines=outlines)
        self.broken |= {items[row].path: reason for row, reason in found.broken.items()}
        if kind != "lines":
            self.computed[plural] += found.computed
        return {item.path: found.vectors[row] for row, item in enumerate(items) if row not in found.broken}


def encode_tasks(
    model: Model,
    dataset: Dataset,
    tasks: Sequence[Task],
    cache: VectorCache,
    progress: ProgressFunction,
    *,
    seed: int,
    transductive: bool,
    outlines: bool = False,
) -> EncodedTasks:
    """Encode queries and galleries of the tasks, which have the same queries; ``outlines``: also these, if the model
    has them.

    If a model can be adapted to a category, it is adapted to each class of a fine-grained task. Its support sketches
    are then removed from the queries, unless ``transductive``. Photos of classes without a query are removed, too.
    """
    encoder = _DatasetEncoder(dataset, cache, progress)
    if tasks[0].protocol == "fine-grained" and is_category_model(model):
        sketches, photos, support = _encode_by_category(model, dataset, tasks[0], encoder, seed)
    else:
        sketches = encoder.encode(model, tasks[0].queries, "sketch")
        gallery = {photo.path: photo for task in tasks for photo in task.gallery}
        photos, support = encoder.encode(model, list(gallery.values()), "photo", outlines=outlines), ()
    removed = set(encoder.broken)
    if not transductive:
        removed |= {path for one in support for path in one.sketches}
    removed |= {photo.path for task in tasks for photo in task.gallery} - photos.keys()
    with_vectors = [_with_vectors(task.without(removed), sketches, photos, model.size) for task in tasks]
    if outlines and has_lines(model):
        with_vectors = [replace(one, outlines=_outlines(model, dataset, one.task, encoder)) for one in with_vectors]
    return EncodedTasks(tuple(with_vectors), dict(sorted(encoder.broken.items())), support, encoder.computed)


def _with_vectors(task: Task, sketches: Vectors, photos: Vectors, size: int) -> TaskVectors:
    queries = np.empty((len(task.queries), size), np.float32)
    gallery = np.empty((len(task.gallery), size), np.float32)
    query_paths, photo_paths = [item.path for item in task.queries], [item.path for item in task.gallery]
    for rows, paths, vectors in ((queries, query_paths, sketches), (gallery, photo_paths, photos)):
        for row, path in enumerate(paths):
            rows[row] = vectors[path]
    return TaskVectors(task, queries, gallery)


def _outlines(model: LinesModel, dataset: Dataset, task: Task, encoder: _DatasetEncoder) -> Outlines | None:
    """What the drawings and photos of a task are laid over each other by; None if its lines are of another format."""
    if model.line_bytes != BYTES:
        return None
    inks = [ink_map(load_sketch(dataset.file(drawing)), SIDE) for drawing in task.queries]
    lines = encoder.encode(model, task.gallery, "lines")
    rows = np.array([lines[photo.path] for photo in task.gallery]).reshape(-1, BYTES)
    return Outlines(np.array(inks, np.float32).reshape(-1, SIDE, SIDE), rows.astype(np.uint8))


def _encode_by_category(
    model: CategoryModel, dataset: Dataset, task: Task, encoder: _DatasetEncoder, seed: int
) -> tuple[Vectors, Vectors, tuple[Support, ...]]:
    """Encode each class with the model adapted to it by pictures of the class: as many as it asks for, by the seed.

    Photos of a class without a query are left out: no query is compared with them.
    """
    sketches: Vectors = {}
    photos: Vectors = {}
    supports = []
    for label in task.classes:
        own_sketches = [drawing for drawing in task.queries if drawing.label == label]
        own_photos = [photo for photo in task.gallery if photo.label == label]
        if not own_sketches:
            continue
        name = dataset.classes[label]
        support_sketches = _open_some(model, dataset, own_sketches, "sketch", model.support[0], seed)
        support_photos = _open_some(model, dataset, own_photos, "photo", model.support[1], seed)
        for what, count, found in (
            ("sketch", model.support[0], support_sketches),
            ("photo", model.support[1], support_photos),
        ):
            if count and not found:
                raise SketchseekError(
                    f"no {what} of {name!r} can be opened, so the model cannot be adapted to it: repair them"
                )
        adapted = model.for_category(name, list(support_sketches.values()), list(support_photos.values()))
        if adapted.identity == model.identity or adapted.size != model.size:
            raise SketchseekError(
                f"the model {model.name} adapted to {name!r} has the identity of the unadapted one or another size:"
                " the model is broken"
            )
        supports.append(Support(name, tuple(support_sketches), tuple(support_photos)))
        sketches |= encoder.encode(adapted, own_sketches, "sketch", f" of {name}")
        photos |= encoder.encode(adapted, own_photos, "photo", f" of {name}")
    return sketches, photos, tuple(supports)


def _open_some(
    model: Model, dataset: Dataset, items: Sequence[Drawing | Photo], kind: Kind, count: int, seed: int
) -> dict[str, Any]:
    """``count`` items that can be opened, chosen by the seed: path -> picture."""
    by_path = {item.path: item for item in items}
    opened: dict[str, Any] = {}
    for path in choose(by_path, len(by_path), seed=seed, purpose=f"support {kind}"):
        if len(opened) == count:
            break
        try:
            opened[path] = open_picture(model, kind, dataset.file(by_path[path]))
        except PictureError:
            continue  # it is also among the pictures to encode, and is reported there
    return opened
