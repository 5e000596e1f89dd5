"""A query: drawings, words, example photos and marked hits, for and against, combined into one vector.

Every part is a unit vector of the model. The query is their weighted sum, minus terms subtracted, brought to length 1.
Marked hits are Rocchio relevance feedback: the mean of the liked ones is added with weight 0.75, the mean of the
unliked ones is subtracted with weight 0.25.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.colours import Paint
from sketchseek.gallery.colour_words import named_colours
from sketchseek.gallery.errors import GalleryError
from sketchseek.model import Model
from sketchseek.outlines import SIDE

if TYPE_CHECKING:
    from sketchseek.pictures import Sketch

WEIGHTS: Mapping[str, float] = {
    "sketch": 1.0,
    "photo": 1.0,
    "text": 1.0,
    "colours": 1.0,
    "minus": 0.5,
    "like": 0.75,
    "unlike": 0.25,
}

Picture = str | Path | bytes
Vector = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Query:
    """What to look for. Every field takes one value or a sequence of them.

    ``sketch``: a file, its bytes, or a ``Sketch``. ``photo``: a file, its bytes, or an upright RGB array. ``text``:
    words. ``colours``: a coloured drawing that says where which colour is, a file, its bytes or a ``Sketch``; its shape
    does not count. Strokes of a ``sketch`` that have colours say so as well. ``minus``: what it must not show: words
    (``str``), or a drawing or photo (``Sketch``, array; a ``Path`` is a photo file). ``like``, ``unlike``: ids of hits.
    ``weights`` replaces some of ``WEIGHTS`` by kind; several values of a kind share its weight.
    """

    sketch: "Picture | Sketch | Sequence[Picture | Sketch]" = ()
    photo: "Picture | NDArray[np.uint8] | Sequence[Picture | NDArray[np.uint8]]" = ()
    text: str | Sequence[str] = ()
    colours: "Picture | Sketch | Sequence[Picture | Sketch]" = ()
    minus: "str | Path | Sketch | NDArray[np.uint8] | Sequence[str | Path | Sketch | NDArray[np.uint8]]" = ()
    like: str | Sequence[str] = ()
    unlike: str | Sequence[str] = ()
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind, weight in self.weights.items():
            if kind not in WEIGHTS:
                raise GalleryError(f"there is no query term {kind!r} to weigh; choose from {', '.join(WEIGHTS)}.")
            if not math.isfinite(weight) or weight < 0:
                raise GalleryError(f"the weight of {kind!r} is {weight!r}; give a number of 0 or more.")
        if not any(len(_several(getattr(self, kind))) for kind in ("sketch", "photo", "text", "colours", "like")):
            raise GalleryError(
                "the query has nothing to look for; give a drawing, words, colours, an example photo or a liked hit."
            )


@dataclass(frozen=True, slots=True)
class Part:
    """One term: ``kind`` is sketch, photo or text, ``weight`` is negative for minus terms, ``vector`` has length 1.

    ``ink``: of a drawing that is looked for, makes what ``outlines.likeness`` compares. A term of the kind colours has
    a ``paint`` in place of a vector. ``tint`` (k, 3): colours that words name.
    """

    kind: str
    weight: float
    vector: Vector | None
    ink: Callable[[], NDArray[np.float32]] | None = None
    paint: Paint | None = None
    tint: NDArray[np.uint8] | None = None


def encode(query: Query, model: Callable[[], Model], vector_of: Callable[[str], Vector]) -> list[Part]:
    """The terms of a query.

    ``model`` is called only if something has to be encoded; ``vector_of`` gives the vector of a photo by its id.
    """
    from sketchseek.pictures import Sketch, ink_map, load_sketch
    from sketchseek.pictures.paint import load_paint, paint_of

    def encode_sketches(values: Sequence[Any]) -> Iterable[Vector]:
        return model().encode_sketches(values)

    def encode_photos(values: Sequence[Any]) -> Iterable[Vector]:
        return model().encode_photos([_photo(value, model()) for value in values])

    def encode_texts(values: Sequence[Any]) -> Iterable[Vector]:
        if any(not value.strip() for value in values):
            raise GalleryError("the words to look for are empty; give at least one word.")
        return model().encode_texts(values)

    def vectors_of(values: Sequence[Any]) -> Iterable[Vector]:
        return [vector_of(value) for value in values]

    sketches = [value if isinstance(value, Sketch) else load_sketch(value) for value in _several(query.sketch)]
    minus = _several(query.minus)
    words = [value for value in minus if isinstance(value, str)]
    drawings = [value for value in minus if isinstance(value, Sketch)]
    photos = [value for value in minus if not isinstance(value, str | Sketch)]
    weights = {**WEIGHTS, **query.weights}
    against = -weights["minus"] / max(1, len(minus))
    terms: list[tuple[str, Sequence[Any], float, Callable[[Sequence[Any]], Iterable[Vector]]]] = [
        ("sketch", sketches, weights["sketch"] / max(1, len(sketches)), encode_sketches),
        ("photo", examples := _several(query.photo), weights["photo"] / max(1, len(examples)), encode_photos),
        ("text", texts := _several(query.text), weights["text"] / max(1, len(texts)), encode_texts),
        ("text", words, against, encode_texts),
        ("sketch", drawings, against, encode_sketches),
        ("photo", photos, against, encode_photos),
        ("photo", liked := _several(query.like), weights["like"] / max(1, len(liked)), vectors_of),
        ("photo", disliked := _several(query.unlike), -weights["unlike"] / max(1, len(disliked)), vectors_of),
    ]
    parts = []
    for kind, values, weight, vectors in terms:
        if values and weight:
            inks = [partial(ink_map, value, SIDE) if values is sketches else None for value in values]
            tints = [named_colours(value) if values is texts else None for value in values]
            parts += [
                Part(kind, weight, vector, ink, tint=tint)
                for vector, ink, tint in zip(vectors(values), inks, tints, strict=True)
            ]
    paints = [load_paint(value) for value in _several(query.colours)]
    paints += [paint for sketch in sketches if (paint := paint_of(sketch)) is not None]
    if weights["colours"]:
        parts += [Part("colours", weights["colours"] / len(paints), None, paint=paint) for paint in paints]
    return parts


def of_length_one(vector: NDArray[np.float16]) -> Vector:
    """A stored vector (size,) as a term of a query; in half floats its length is not exactly 1."""
    exact = vector.astype(np.float32)
    return np.asarray(exact / np.linalg.norm(exact))


def fuse(parts: Sequence[Part]) -> Vector:
    """The query vector, of length 1."""
    terms = [part.weight * part.vector.astype(np.float64) for part in parts if part.vector is not None]
    total = np.sum(terms, axis=0) if terms else np.zeros(1)
    length = float(np.linalg.norm(total))
    if length < 1e-6:
        raise GalleryError("the terms of the query cancel each other out; change the weights or drop a minus term.")
    return np.asarray(total / length, np.float32)


def _several(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _photo(value: Picture | NDArray[np.uint8], model: Model) -> NDArray[np.uint8]:
    from sketchseek.pictures import load_photo

    return value if isinstance(value, np.ndarray) else load_photo(value, target=model.photo_side)
