"""mAP@all of sketches among photos, as ``sketchseek evaluate`` measures it."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sketchseek.engine.folder import Role
from sketchseek.engine.sessions import OrtSession, Session
from sketchseek.evaluation.ranking import rank_relevant
from sketchseek.evaluation.relevance import by_label
from sketchseek.evaluation.scoring import score
from sketchseek.export.pictures import MeasuredPictures
from sketchseek.parallel import batches

Vectors = NDArray[np.float32]
_BATCH = 16


def encode(session: Session, pixels: NDArray[np.uint8]) -> Vectors:
    """Prepared pictures (n, side, side, 3) -> vectors (n, size)."""
    parts: Sequence[Vectors] = [session({"pixels": batch}, ["vectors"])[0] for _, batch in batches(pixels, _BATCH)]
    return np.concatenate(parts)


def draw_lines(graphs: Mapping[Role, bytes], pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Prepared photos (n, side, side, 3) -> where a person would draw lines, (n, height, width)."""
    photo, lines = (OrtSession(graphs[role], "CPU", 0) for role in ("photo", "lines"))
    maps = (photo({"pixels": batch}, ["maps"])[0] for _, batch in batches(pixels, _BATCH))
    return np.concatenate([lines({"maps": part}, ["lines"])[0] for part in maps])


def cosine_of_lines(some: NDArray[np.float32], others: NDArray[np.float32]) -> float:
    """The mean cosine between corresponding maps (n, height, width), each without its mean."""
    first, second = (maps.reshape(len(maps), -1).astype(np.float64) for maps in (some, others))
    first, second = first - first.mean(1, keepdims=True), second - second.mean(1, keepdims=True)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return float(((first * second).sum(axis=1) / np.maximum(lengths, 1e-12)).mean())


def map_all(sketches: Vectors, photos: Vectors, pictures: MeasuredPictures) -> float:
    """mAP@all in points, 0 to 100: every photo of a sketch's class is right."""
    relevance = by_label(pictures.sketch_labels, pictures.photo_labels)
    return 100 * score(rank_relevant(sketches, photos, relevance), [1]).means()["map@all"]
