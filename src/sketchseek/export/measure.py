"""mAP@all of sketches among photos, as ``sketchseek evaluate`` measures it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sketchseek.engine.sessions import Session
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


def map_all(sketches: Vectors, photos: Vectors, pictures: MeasuredPictures) -> float:
    """mAP@all in points, 0 to 100: every photo of a sketch's class is right."""
    relevance = by_label(pictures.sketch_labels, pictures.photo_labels)
    return 100 * score(rank_relevant(sketches, photos, relevance), [1]).means()["map@all"]
