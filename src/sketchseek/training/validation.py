"""How good a state is: held-out sketches look for their photos, by the metrics of the evaluation room."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sketchseek.evaluation.draws import draw
from sketchseek.evaluation.protocols import Task
from sketchseek.evaluation.ranking import rank_relevant
from sketchseek.evaluation.scoring import score
from sketchseek.methods.method import EncodeFunction, Method, Modality
from sketchseek.pictures.preprocessing import Preprocessing
from sketchseek.training.data.feed import to_input
from sketchseek.training.data.pixels import Pixels
from sketchseek.training.errors import TrainingError

# What is kept of the many metrics; the first one decides which state is the best.
WHOLE_CLASS = ("map@all", "p@100", "acc@1")
ONE_PHOTO = ("acc@1", "acc@5", "acc@10", "mean_rank")
KS = (1, 5, 10, 100)


@dataclass(frozen=True)
class Validator:
    """A task with its pictures prepared."""

    task: Task
    words: Mapping[str, str]  # class -> its name in words
    sketches: Pixels  # of the task's queries
    photos: Pixels  # of its gallery
    sketch_record: Preprocessing
    photo_record: Preprocessing
    batch: int
    device: torch.device

    @property
    def metric(self) -> str:
        """map@all where the whole class is right, acc@1 where one photo is."""
        return self._metrics[0]

    @property
    def _metrics(self) -> tuple[str, ...]:
        return WHOLE_CLASS if self.task.by == "label" else ONE_PHOTO

    def __call__(self, method: Method, progress: Callable[[int], None]) -> dict[str, float]:
        """Means over the queries, by metric. The method is left as it was."""
        training = method.training
        method.eval()
        try:
            with torch.no_grad():  # not inference mode: what a method keeps from here must serve training too
                task, queries, photos = self._encode(method, progress)
        finally:
            method.train(training)
        means = score(rank_relevant(queries, photos, task.relevance()), KS).means()
        return {name: means[name] for name in self._metrics}

    def _encode(
        self, method: Method, progress: Callable[[int], None]
    ) -> tuple[Task, NDArray[np.float32], NDArray[np.float32]]:
        """The task, without the sketches that were shown as support, and the vectors of its queries and gallery."""
        task, support = self.task, method.support()
        queries, photos = np.arange(len(task.queries)), np.arange(len(task.gallery))
        if support is None:
            query_vectors = self._vectors(method.encode, queries, "sketch", progress)
            return task, query_vectors, self._vectors(method.encode, photos, "photo", progress)
        query_labels, photo_labels = ([item.label for item in items] for items in (task.queries, task.gallery))
        query_vectors = np.empty((len(queries), method.size), np.float32)
        photo_vectors = np.empty((len(photos), method.size), np.float32)
        shown: list[int] = []
        for label in sorted(set(query_labels)):
            own_queries = queries[np.array(query_labels) == label]
            own_photos = photos[np.array(photo_labels) == label]
            sheets = _drawn({task.queries[row].path: row for row in own_queries}, support[0], "support sketch")
            shots = _drawn({task.gallery[row].path: row for row in own_photos}, support[1], "support photo")
            encode = method.for_category(
                self.words[label],
                to_input(self.sketches[sheets], self.sketch_record, self.device),
                to_input(self.photos[shots], self.photo_record, self.device),
            )
            query_vectors[own_queries] = self._vectors(encode, own_queries, "sketch", progress)
            photo_vectors[own_photos] = self._vectors(encode, own_photos, "photo", progress)
            shown += sheets
        return (
            task.without({task.queries[row].path for row in shown}),
            np.delete(query_vectors, shown, 0),
            photo_vectors,
        )

    def _vectors(
        self, encode: EncodeFunction, rows: NDArray[np.intp], modality: Modality, progress: Callable[[int], None]
    ) -> NDArray[np.float32]:
        pixels, record = (
            (self.sketches, self.sketch_record) if modality == "sketch" else (self.photos, self.photo_record)
        )
        parts = []
        for start in range(0, len(rows), self.batch):
            part = pixels[rows[start : start + self.batch]]
            vectors = encode(to_input(part, record, self.device), modality).float().cpu().numpy()
            if not (np.isfinite(vectors).all() and vectors.any(axis=1).all()):
                raise TrainingError(
                    f"validation gave a {modality} a vector that is not finite or all zero: lower lr in a new run"
                )
            parts.append(vectors)
            progress(len(part))
        return np.concatenate(parts)


def _drawn(rows: Mapping[str, int], count: int, purpose: str) -> list[int]:
    """The rows of the pictures shown as support: the ones evaluating shows, by the seed it has when none is named."""
    return [rows[path] for path in draw(rows, count, seed=0, purpose=purpose)]
