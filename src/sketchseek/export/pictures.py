"""Prepared pictures of a dataset: some of its training classes to set ranges by, its ``val`` to measure on."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sketchseek.clip.backbone import Backbone
from sketchseek.datasets.galleries import gallery, queries
from sketchseek.datasets.items import Dataset, Drawing, Photo
from sketchseek.datasets.reader import open_dataset
from sketchseek.datasets.splits import split_of
from sketchseek.engine.folder import EngineError
from sketchseek.parallel import ahead, usable_cores
from sketchseek.pictures import fit, load_photo, load_sketch
from sketchseek.wording import class_in_words

One = TypeVar("One", Photo, Drawing)
Pixels = NDArray[np.uint8]
RANGES = 64  # photos, and as many sketches, whose activations say what 8 bits must span
MEASURED = 1000  # photos, and as many sketches, at most, on which anything is measured
_SEED = 0


@dataclass(frozen=True)
class Material:
    """Prepared pictures, uint8 (n, side, side, 3), with their classes where something is measured on them.

    ``words``: class -> how people write it.
    """

    data: str
    seen_photos: Pixels
    seen_sketches: Pixels
    photos: Pixels
    photo_labels: NDArray[np.str_]
    sketches: Pixels
    sketch_labels: NDArray[np.str_]
    words: dict[str, str]


def read_material(root: Path, backbone: Backbone) -> Material:
    """What an export needs of the dataset below ``root``: a sample, the same in every run."""
    dataset = open_dataset(root)
    split = split_of(dataset)
    seen_photos = _sample(gallery(dataset, split.train), RANGES)
    seen_sketches = _sample(queries(dataset, split.train), RANGES)
    photos, sketches = _sample(gallery(dataset, split.val), MEASURED), _sample(queries(dataset, split.val), MEASURED)
    if not (seen_photos and seen_sketches and photos and sketches):
        raise EngineError(
            f"{root} has no classes to train on, or none to validate on: name another dataset with --data"
        )
    read = partial(_prepared, dataset, backbone)
    return Material(
        data=dataset.name,
        seen_photos=read(seen_photos),
        seen_sketches=read(seen_sketches),
        photos=read(photos),
        photo_labels=np.array([photo.label for photo in photos]),
        sketches=read(sketches),
        sketch_labels=np.array([sketch.label for sketch in sketches]),
        words={key: class_in_words(name) for key, name in dataset.classes.items() if key in split.val},
    )


def _sample(items: Sequence[One], count: int) -> list[One]:
    return sorted(random.Random(_SEED).sample(items, min(count, len(items))), key=lambda item: item.path)  # noqa: S311


def _prepared(dataset: Dataset, backbone: Backbone, items: Sequence[Photo | Drawing]) -> Pixels:
    def prepare(item: Photo | Drawing) -> Pixels:
        path = dataset.root / item.path
        if isinstance(item, Drawing):
            return fit(load_sketch(path), backbone.sketches)
        return fit(load_photo(path, target=backbone.photos.size), backbone.photos)

    return np.stack(list(ahead(prepare, items, workers=usable_cores(), depth=64)))
