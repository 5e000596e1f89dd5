"""From cosine to relevance: logistic curves, fitted where the right answers are known.

A curve says how likely a photo of some cosine is right, if ``PRIOR`` is how likely any photo is.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.engine.sessions import Session
from sketchseek.export.measure import Vectors, encode
from sketchseek.export.pictures import Material

PRIOR = 0.02  # share of a gallery's photos that show what is looked for, before the model has seen them
PHRASES = ("{}", "a photo of a {}")
Curve = tuple[float, float]
Read = Callable[[Sequence[str]], Mapping[str, NDArray[Any]]]
_LEAST_RIGHT = 20  # fewer right pairs make no curve


def fit_curve(cosines: NDArray[np.floating], right: NDArray[np.bool_], prior: float = PRIOR) -> Curve | None:
    """(midpoint, scale) of the logistic curve of greatest likelihood, right and wrong pairs weighted to ``prior``.

    ``cosines`` and ``right`` have the same shape. None where there are too few pairs, or a greater cosine does not
    speak for a photo.
    """
    x, y = cosines.astype(np.float64).ravel(), right.ravel()
    if y.sum() < _LEAST_RIGHT or (~y).sum() < _LEAST_RIGHT:
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
            step /= 2  # where right and wrong hardly overlap, a whole step goes too far
        beta += step
        if np.abs(step).max() < 1e-9:
            break
    if not beta[1] > 1e-6 or not np.isfinite(beta).all():
        return None
    scale = spread / beta[1]
    return float(mean - beta[0] * scale), float(scale)


def relevance_curves(
    photo: Session, sketch: Session, text: Session, read: Read, material: Material
) -> dict[str, Curve]:
    """A curve for each kind of query that gives one: sketch, photo, text. ``read``: words -> the inputs of ``text``."""
    photos, sketches = encode(photo, material.photos), encode(sketch, material.sketches)
    phrases = [(key, phrase.format(word)) for key, word in material.words.items() for phrase in PHRASES]
    (texts,) = text(read([phrase for _, phrase in phrases]), ["vectors"])
    others = ~np.eye(len(photos), dtype=bool)  # a photo tells nothing about itself
    asked: dict[str, tuple[Vectors, NDArray[np.str_], NDArray[np.bool_]]] = {
        "sketch": (sketches, material.sketch_labels, np.ones((len(sketches), len(photos)), bool)),
        "photo": (photos, material.photo_labels, others),
        "text": (texts, np.array([key for key, _ in phrases]), np.ones((len(texts), len(photos)), bool)),
    }
    curves = {}
    for kind, (vectors, labels, counted) in asked.items():
        right = labels[:, None] == material.photo_labels
        curve = fit_curve((vectors @ photos.T)[counted], right[counted])
        if curve is not None:
            curves[kind] = curve
    return curves
