"""Measure a state during training: held-out sketches search for photos, with the metrics of ``evaluation``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sketchseek.evaluation.protocols import Task
from sketchseek.evaluation.ranking import rank_relevant
from sketchseek.evaluation.scoring import score
from sketchseek.evaluation.seeded_choice import choose
from sketchseek.methods.method import EncodeFunction, Method, Modality
from sketchseek.parallel import batches
from sketchseek.pictures.preprocessing import Preprocessing
from sketchseek.training.data.feed import to_input
from sketchseek.training.data.pixels import Pixels
from sketchseek.training.errors import TrainingError

# The reported metrics; the first one decides which state is the best.
WHOLE_CLASS = ("map@all", "p@100", "acc@1")
ONE_PHOTO = ("acc@1", "acc@5", "acc@10", "mean_rank")
KS = (1, 5, 10, 100)


@dataclass(frozen=True)
class Validator:
    """A validation task with its prepared pictures."""

    task: Task
    class_names: Mapping[str, str]  # class -> its name for prompts
    sketches: Pixels  # of the task's queries
    photos: Pixels  # of its gallery
    sketch_record: Preprocessing
    photo_record: Preprocessing
    batch: int
    device: torch.device

    @property
    def metric(self) -> str:
        """map@all where all photos of the class are right, acc@1 where only one photo is."""
        return self._metrics[0]

    @property
    def _metrics(self) -> tuple[str, ...]:
        return WHOLE_CLASS if self.task.by == "label" else ONE_PHOTO

    def __call__(self, method: Method, progress: Callable[[int], None]) -> dict[str, float]:
        """Means over the queries, by metric. Does not change the method."""
        training = method.training
        method.eval()
        try:
            with torch.no_grad():  # not inference mode: tensors a method caches here are used in training too
                task, queries, photos = self._encode(method, progress)
        finally:
            method.train(training)
        means = score(rank_relevant(queries, photos, task.relevance()), KS).means()
        return {name: means[name] for name in self._metrics}

    def _encode(
        self, method: Method, progress: Callable[[int], None]
    ) -> tuple[Task, NDArray[np.float32], NDArray[np.float32]]:
        """The task and the vectors of its queries and gallery, without sketches used as support, and without photos of
        classes that a method is not adapted to, because they have no query.
        """
        task, support = self.task, method.support()
        queries, photos = np.arange(len(task.queries)), np.arange(len(task.gallery))
        if support is None:
            query_vectors = self._vectors(method.encode, queries, "sketch", progress)
            return task, query_vectors, self._vectors(method.encode, photos, "photo", progress)
        query_labels, photo_labels = ([item.label for item in items] for items in (task.queries, task.gallery))
        query_vectors = np.empty((len(queries), method.size), np.float32)
        photo_vectors = np.empty((len(photos), method.size), np.float32)
        used: list[int] = []
        for label in sorted(set(query_labels)):
            own_queries = queries[np.array(query_labels) == label]
            own_photos = photos[np.array(photo_labels) == label]
            query_rows = {task.queries[row].path: row for row in own_queries}
            photo_rows = {task.gallery[row].path: row for row in own_photos}
            support_sketches = _support(query_rows, support[0], "support sketch")
            support_photos = _support(photo_rows, support[1], "support photo")
            encode = method.for_category(
                self.class_names[label],
                to_input(self.sketches[support_sketches], self.sketch_record, self.device),
                to_input(self.photos[support_photos], self.photo_record, self.device),
            )
            query_vectors[own_queries] = self._vectors(encode, own_queries, "sketch", progress)
            photo_vectors[own_photos] = self._vectors(encode, own_photos, "photo", progress)
            used += support_sketches
        others = [row for row in photos if photo_labels[row] not in set(query_labels)]
        left_out = {task.queries[row].path for row in used} | {task.gallery[row].path for row in others}
        return task.without(left_out), np.delete(query_vectors, used, 0), np.delete(photo_vectors, others, 0)

    def _vectors(
        self, encode: EncodeFunction, rows: NDArray[np.intp], modality: Modality, progress: Callable[[int], None]
    ) -> NDArray[np.float32]:
        pixels, record = (
            (self.sketches, self.sketch_record) if modality == "sketch" else (self.photos, self.photo_record)
        )
        parts = []
        for _, batch in batches(rows, self.batch):
            vectors = encode(to_input(pixels[batch], record, self.device), modality).float().cpu().numpy()
            if not (np.isfinite(vectors).all() and vectors.any(axis=1).all()):
                raise TrainingError(
                    f"validation gave a {modality} a vector that is not finite or all zero: lower lr in a new run"
                )
            parts.append(vectors)
            progress(len(batch))
        return np.concatenate(parts)


def _support(rows: Mapping[str, int], count: int, purpose: str) -> list[int]:
    """The rows of the support pictures: those that evaluation draws with its default seed."""
    return [rows[path] for path in choose(rows, count, seed=0, purpose=purpose)]
