"""Queries, galleries and pairs of the selected classes, for the evaluation protocols."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from sketchseek.datasets.items import Dataset, DatasetError, Drawing, Photo

Variant = Literal["zse", "dedup"]


def queries(dataset: Dataset, classes: Collection[str]) -> tuple[Drawing, ...]:
    """Every drawing of the classes (canonical names), sorted by path."""
    wanted = frozenset(classes)
    return tuple(drawing for drawing in dataset.sketches if drawing.label in wanted)


def gallery(dataset: Dataset, classes: Collection[str], variant: Variant = "zse") -> tuple[Photo, ...]:
    """Photos of the classes, sorted by path: every file as in the published lists (``zse``), or each once (``dedup``).

    Sketchy's extension contains the basic photos again under the same names, so ``zse`` has them twice.
    """
    if variant not in get_args(Variant):
        raise DatasetError(f"there is no gallery variant {variant!r}: choose zse or dedup")
    wanted = frozenset(classes)
    photos = tuple(photo for photo in dataset.photos if photo.label in wanted)
    return photos if variant == "zse" else _each_once(photos)


def _each_once(photos: tuple[Photo, ...]) -> tuple[Photo, ...]:
    chosen: dict[str, Photo] = {}
    for photo in photos:
        known = chosen.get(photo.instance)
        if known is None or (known.extended and not photo.extended):  # prefer the basic file
            chosen[photo.instance] = photo
    return tuple(sorted(chosen.values(), key=lambda photo: photo.path))


@dataclass(frozen=True)
class FineGrained:
    """Instance-level retrieval: which photo each drawing shows, and the photos of each class to search."""

    pairs: tuple[tuple[Drawing, Photo], ...]  # sorted by the drawing's path
    galleries: Mapping[str, tuple[Photo, ...]]  # canonical class -> its basic photos, each once


def fine_grained(dataset: Dataset, classes: Collection[str]) -> FineGrained:
    """Pairs and per-class galleries of the classes; without the photos of the extension."""
    basic = _each_once(tuple(photo for photo in gallery(dataset, classes) if not photo.extended))
    by_instance = {photo.instance: photo for photo in basic}
    pairs = tuple((d, by_instance[d.instance]) for d in queries(dataset, classes) if d.instance in by_instance)
    galleries: dict[str, list[Photo]] = {label: [] for label in sorted(classes)}
    for photo in basic:
        galleries[photo.label].append(photo)
    return FineGrained(pairs, {label: tuple(photos) for label, photos in galleries.items()})
