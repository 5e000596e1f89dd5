"""From cosine to relevance: logistic curves, fitted on pictures whose classes are known.

A curve gives the probability that a photo with some cosine is right, if ``PRIOR`` is the probability for any photo.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.engine.sessions import Session
from sketchseek.export.measure import Vectors, encode
from sketchseek.export.pictures import MeasuredPictures

PRIOR = 0.02  # assumed share of a gallery's photos that show what a query is about
PHRASES = ("{}", "a photo of a {}")
Curve = tuple[float, float]
Tokenize = Callable[[Sequence[str]], Mapping[str, NDArray[Any]]]  # texts -> the inputs of the text graph
_MIN_PAIRS = 20  # right pairs, and wrong ones, that a fit requires


def fit_curve(cosines: NDArray[np.floating], right: NDArray[np.bool_], prior: float = PRIOR) -> Curve | None:
    """(midpoint, scale) of the logistic curve of maximum likelihood, right and wrong pairs weighted to ``prior``.

    ``cosines`` and ``right`` have the same shape. None if there are too few pairs, or if a higher cosine does not make
    a photo more likely to be right.
    """
    x, y = cosines.astype(np.float64).ravel(), right.ravel()
    if y.sum() < _MIN_PAIRS or (~y).sum() < _MIN_PAIRS:
        return None
    weights = np.where(y, prior / y.sum(), (1 - prior) / (~y).sum())
    mean, spread = x.mean(), x.std() or 1.0
    features = np.stack((np.ones_like(x), (x - mean) / spread), axis=1)
    beta = np.array([np.log(prior / (1 - prior)), 0.0])

    def likelihood(beta: NDArray[np.float64]) -> float:
        odds = features @ beta
        return -float((weights * np.logaddexp(0, np.where(y, -odds, odds))).sum())

    for _ in range(50):  # Newton's method
        p = (1 + np.tanh(features @ beta / 2)) / 2
        gradient = features.T @ (weights * (y - p))
        curvature = (features * (weights * p * (1 - p))[:, None]).T @ features + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        while likelihood(beta + step) < likelihood(beta) and np.abs(step).max() >= 1e-9:
            step /= 2  # if right and wrong pairs hardly overlap, a full step goes too far
        beta += step
        if np.abs(step).max() < 1e-9:
            break
    if not beta[1] > 1e-6 or not np.isfinite(beta).all():
        return None
    scale = spread / beta[1]
    return float(mean - beta[0] * scale), float(scale)


def relevance_curves(
    photo: Session, sketch: Session, text: Session, tokenize: Tokenize, pictures: MeasuredPictures
) -> dict[str, Curve]:
    """A curve for each kind of query (sketch, photo, text) that can be fitted."""
    photos, sketches = encode(photo, pictures.photos), encode(sketch, pictures.sketches)
    phrases = [(key, phrase.format(name)) for key, name in pictures.class_names.items() for phrase in PHRASES]
    (texts,) = text(tokenize([phrase for _, phrase in phrases]), ["vectors"])
    others = ~np.eye(len(photos), dtype=bool)  # a photo is not a result of itself
    queries: dict[str, tuple[Vectors, NDArray[np.str_], NDArray[np.bool_]]] = {
        "sketch": (sketches, pictures.sketch_labels, np.ones((len(sketches), len(photos)), bool)),
        "photo": (photos, pictures.photo_labels, others),
        "text": (texts, np.array([key for key, _ in phrases]), np.ones((len(texts), len(photos)), bool)),
    }
    curves = {}
    for kind, (vectors, labels, counted) in queries.items():
        right = labels[:, None] == pictures.photo_labels
        curve = fit_curve((vectors @ photos.T)[counted], right[counted])
        if curve is not None:
            curves[kind] = curve
    return curves
