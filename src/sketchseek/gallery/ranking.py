"""From a query to hits: candidates from the store, scores from their vectors, a second look, files folded by content.

All stores share these rules, so the score of a photo and the order of photos do not depend on the store.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from sketchseek.colours import BYTES as COLOUR_BYTES
from sketchseek.colours import likeness as colours_agree
from sketchseek.colours import present
from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.filters import EVERY_PHOTO, Filters
from sketchseek.gallery.hits import Hit, Hits
from sketchseek.gallery.query import Part, fuse
from sketchseek.gallery.records import Photo
from sketchseek.gallery.relevance import Background, relevance
from sketchseek.neighbours import BLENDS, DEFAULT_LOOK, LOOKS, POOL, Look, Scores, look_again, neighbourhoods, prefer
from sketchseek.outlines import BYTES, likeness

NO_COLOURS = "the gallery does not know the colours of its photos yet; index its folders again."


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """Which part of the ranking to return; see ``Gallery.search``."""

    k: int
    look: Look = DEFAULT_LOOK
    min_score: float | None = None
    min_relevance: float = 0.0
    filters: Filters = EVERY_PHOTO
    fold: float | None = None
    skip: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.k < 1:
            raise GalleryError(f"k is {self.k}; ask for at least 1 hit.")
        if self.look not in LOOKS:
            raise GalleryError(f"look is {self.look!r}; choose from {', '.join(LOOKS)}.")


class Candidates(Protocol):
    """The photos of a store that a query may find. The store applies the filters and omits skipped photos."""

    def nearest(self, vector: NDArray[np.float32], count: int) -> tuple[Sequence[int], NDArray[np.float16], bool]:
        """(keys, vectors (n, size), whether there may be more) of about the ``count`` nearest photos, in any order."""

    def lines(self, keys: Sequence[int]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """The outlines of photos that ``nearest`` returned: (n, bytes), and (n,) whether a photo has some."""

    def background(self) -> Background:
        """Photos of the whole gallery, whatever the filters are."""

    def hit(self, key: int, score: float) -> Hit | None:
        """The photo of a key; None if it has no file."""


class ColouredCandidates(Candidates, Protocol):
    """Candidates of a store that keeps the colours of photos."""

    def colours(self, keys: Sequence[int]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """The colours of photos that ``nearest`` returned: (n, bytes), and (n,) whether a photo has some."""

    def best_coloured(
        self, fit: Callable[[NDArray[np.uint8]], Scores], count: int
    ) -> tuple[Sequence[int], NDArray[np.float16], Scores, bool]:
        """(keys, vectors (n, size), fits (n,), whether there may be more) of the ``count`` photos that fit best.

        ``fit``: the colours of photos (n, bytes) -> how well they fit, (n,).
        """


def has_colours(candidates: Candidates) -> TypeGuard[ColouredCandidates]:
    """Whether a store offers ``colours`` and ``best_coloured``."""
    return hasattr(candidates, "colours")


def rank(
    candidates: Candidates,
    parts: Sequence[Part],
    options: SearchOptions,
) -> Hits:
    """Hits in the order of ``options.look``; equal ones by id.

    The ``POOL`` nearest photos are ranked once more, whatever ``k`` is: page 2 continues page 1.
    """
    if any(part.paint is not None for part in parts) and not has_colours(candidates):
        raise GalleryError("the store of this gallery keeps no colours of photos; omit the colours.")
    if parts and all(part.vector is None for part in parts):
        return _rank_by_colours(candidates, parts, options)
    vector = fuse(parts)
    # With a reserve: an index of coded vectors orders them slightly differently.
    ask = max(2 * options.k + 16, POOL + 56)
    while True:
        keys, vectors, more = candidates.nearest(vector, ask)
        wide = vectors.astype(np.float64)
        # Row by row, so that a score does not depend on what else was found. Half floats are not exactly of length 1.
        scores = (wide * vector).sum(axis=1).clip(-1, 1)
        values, likely = _judged(candidates, keys, wide, parts, vector, scores, options.look)
        hits, places, enough = _take(candidates, keys, wide, scores, values, likely, options)
        if enough or not more:
            break
        ask *= 4  # ties at the end, or many photos were folded
    hits = [replace(hit, relevance=float(likely[place])) for hit, place in zip(hits, places, strict=True)]
    ordered = sorted(zip(hits, values[places], strict=True), key=lambda one: (-one[1], one[0].id))
    return Hits([hit for hit, _ in ordered[: options.k]], None if len(keys) else options.filters.why_none())


def _rank_by_colours(candidates: Candidates, parts: Sequence[Part], options: SearchOptions) -> Hits:
    """Hits of a query of nothing but colours; their score is how well they fit, and they have no relevance."""
    assert has_colours(candidates)
    if options.min_relevance:
        raise GalleryError("colours alone give no relevance; omit min_relevance, or add a drawing or words.")
    ask = 2 * options.k + 16
    while True:
        keys, vectors, fits, more = candidates.best_coloured(partial(_fit, parts), ask)
        wide, likely = vectors.astype(np.float64), np.ones(len(keys))
        hits, places, enough = _take(candidates, keys, wide, fits, fits, likely, options)
        if enough or not more:
            break
        ask *= 4
    if not len(keys):
        return Hits([], options.filters.why_none() or NO_COLOURS)
    ordered = sorted(zip(hits, fits[places], strict=True), key=lambda one: (-one[1], one[0].id))
    return Hits(hit for hit, _ in ordered[: options.k])


def _fit(parts: Sequence[Part], packed: NDArray[np.uint8]) -> Scores:
    """How well the colours that are looked for agree with those of photos: (n, bytes) -> (n,)."""
    if packed.shape[1] != COLOUR_BYTES:
        return np.full(len(packed), np.nan)
    paints = [(part.weight, part.paint) for part in parts if part.paint is not None]
    total = sum(weight for weight, _ in paints)
    found = np.zeros(len(packed))
    for weight, paint in paints:
        found += weight / total * colours_agree(paint, packed)
    return found


def _colours(candidates: Candidates, keys: Sequence[int], parts: Sequence[Part]) -> Scores | None:
    """How well the colours of photos agree, (n,), NaN for a photo without any; None if no colours are looked for."""
    if all(part.paint is None for part in parts):
        return None
    return _by_colours(candidates, keys, partial(_fit, parts))


def _tint(candidates: Candidates, keys: Sequence[int], parts: Sequence[Part]) -> Scores | None:
    """How much photos show of the colours that words name, (n,), NaN for a photo without any; None if none is named."""
    tints = [part.tint for part in parts if part.tint is not None]
    if not tints:
        return None
    return _by_colours(candidates, keys, lambda packed: np.mean([present(tint, packed) for tint in tints], axis=0))


def _by_colours(
    candidates: Candidates, keys: Sequence[int], fit: Callable[[NDArray[np.uint8]], Scores]
) -> Scores | None:
    """``fit`` of the photos whose colours are known, NaN for the others; None if the store keeps none."""
    if not has_colours(candidates):
        return None
    packed, there = candidates.colours(keys)
    found = np.full(len(keys), np.nan)
    if there.any() and packed.shape[1] == COLOUR_BYTES:
        found[there] = fit(packed[there])
    return found


def _judged(
    candidates: Candidates,
    keys: Sequence[int],
    vectors: NDArray[np.float64],
    parts: Sequence[Part],
    vector: NDArray[np.float32],
    scores: Scores,
    look: Look,
) -> tuple[Scores, Scores]:
    """What candidates are ordered by, and their relevance.

    They are ordered by their scores; the nearest ``POOL``, always ahead, by those of a second look. The relevance of
    one outside the pool is that of the photo alone, without a neighbourhood.
    """
    pool = np.argsort(-scores, kind="stable")[:POOL]
    pooled = [keys[place] for place in pool]
    near = vectors[pool].astype(np.float32)
    around = neighbourhoods(near, BLENDS["both"].neighbours)
    fits = np.array(scores)
    fits[pool] = around @ vector
    # Rounded, so that no store differs in the last digits.
    likely = relevance(candidates.background(), vector, fits).round(6)
    if look == "direct":
        return scores, likely
    again = look_again(
        near,
        vector,
        scores[pool],
        look,
        words=all(part.kind == "text" for part in parts if part.weight > 0 and part.vector is not None),
        likeness=_likeness(candidates, pooled, parts) if BLENDS[look].outlines else None,
        around=around if look == "both" else None,
        colours=_colours(candidates, pooled, parts),
    )
    if (tint := _tint(candidates, pooled, parts)) is not None:
        again = prefer(again, tint)
    values = np.array(scores)
    values[pool] = again - again.min(initial=0.0) + 2  # the others are at most 1
    return values, likely


def _likeness(candidates: Candidates, keys: Sequence[int], parts: Sequence[Part]) -> Scores | None:
    """How well the drawings that are looked for fit the outlines of photos, (n,), NaN for a photo without any."""
    drawings = [(part.weight, part.ink) for part in parts if part.weight > 0 and part.ink is not None]
    if not drawings:
        return None
    packed, there = candidates.lines(keys)
    if packed.shape[1] != BYTES or not there.any():
        return None
    found = np.full(len(keys), np.nan)
    total = sum(weight for weight, _ in drawings)
    found[there] = sum(weight / total * likeness(ink(), packed[there]).astype(np.float64) for weight, ink in drawings)
    return found


def _take(
    candidates: Candidates,
    keys: Sequence[int],
    vectors: NDArray[np.float64],
    scores: Scores,
    values: Scores,
    likely: Scores,
    options: SearchOptions,
) -> tuple[list[Hit], list[int], bool]:
    """The k best and all that tie with the last: hits, their places among candidates, whether no hit is missing."""
    hits: list[Hit] = []
    places: list[int] = []
    lengths = np.linalg.norm(vectors, axis=1)
    for number, place in enumerate(np.argsort(-values, kind="stable")):
        score = float(scores[place])
        if len(hits) >= options.k and values[place] < values[places[-1]]:
            return hits, places, True
        low = options.min_score is not None and score < options.min_score
        if low or likely[place] < options.min_relevance:
            if number >= POOL:  # so are all that follow
                return hits, places, True
            continue
        hit = candidates.hit(keys[place], score)
        if hit is None:
            continue
        better = _near(vectors, lengths, places, place, options.fold)
        if better is not None:
            hits[better] = replace(hits[better], duplicates=(*hits[better].duplicates, hit.path, *hit.duplicates))
        else:
            hits.append(hit)
            places.append(int(place))
    return hits, places, False


def _near(
    vectors: NDArray[np.float64], lengths: NDArray[np.float64], places: list[int], place: int, fold: float | None
) -> int | None:
    """Which of the better hits this candidate is folded under; None if none. ``lengths``: of the vectors."""
    if fold is None or not places:
        return None
    near = np.flatnonzero(vectors[places] @ vectors[place] >= fold * lengths[places] * lengths[place])
    return int(near[0]) if len(near) else None


def hit_of(photo: Photo, score: float, under: bytes | None = None, filters: Filters = EVERY_PHOTO) -> Hit:
    """A content as a hit, shown by the first of its files that passes, or the first; ``under``: that of ``filters``."""
    first = next((path for path in photo.paths if filters.fits(path, under)), photo.paths[0])
    others = tuple(Path(os.fsdecode(path)) for path in photo.paths if path != first)
    taken = datetime.fromisoformat(photo.taken) if photo.taken else None
    return Hit(photo.id, Path(os.fsdecode(first)), score, None, photo.width, photo.height, taken, others, photo.colours)
