"""How likely it is that a photo is what was meant: from the gallery itself, for every model and every kind of query.

The cosines of a query with the photos of a gallery scatter around their mean; nearly all of these photos are not meant.
What counts is by how many of their standard deviations the *neighbourhood* of a photo (see ``neighbours``) fits better
than that mean, and among how many photos it does: the best of a million fits well by chance alone. The three numbers
are one logistic regression over drawings, words and photos in galleries of 30 to 15,000 photos, of which 0 to 25 were
right: docs/notes/neighbours.md, benchmarks/relevance.py.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SLOPE = 1.53  # of the deviations
SIZE_SLOPE = -1.35  # of the logarithm of the number of photos
OFFSET = 1.78
MEASURED = (30, 15_000)  # photos: beyond, a gallery counts like one of these
SAMPLE = 2000  # photos of a background, at most


@dataclass(frozen=True, slots=True)
class Background:
    """What a query is compared with: ``vectors`` (n, size) of a gallery of ``photos`` photos, drawn at random.

    In double precision, so that a relevance does not depend on their order.
    """

    vectors: NDArray[np.float64]
    photos: int


def relevance(background: Background, query: NDArray[np.float32], fits: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability (n,), 0..1, that each photo was meant.

    ``fits`` (n,): the cosine of the photo's neighbourhood with the query (size,).
    """
    usual = background.vectors @ query.astype(np.float64)
    deviation = float(usual.std()) if len(usual) else 0.0
    if deviation < 1e-6:  # one photo, or copies of it: nothing to compare with
        return np.full(len(fits), 0.5)
    photos = min(max(background.photos, MEASURED[0]), MEASURED[1])
    odds = SLOPE * (fits - usual.mean()) / deviation + SIZE_SLOPE * math.log(photos) + OFFSET
    return np.asarray((1 + np.tanh(odds / 2)) / 2)
