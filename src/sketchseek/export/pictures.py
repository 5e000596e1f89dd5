"""Pictures of a dataset for an export: training classes for ranges of activations, ``val`` classes to measure on."""

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
from sketchseek.parallel import map_ahead, usable_cores
from sketchseek.pictures import fit, load_photo, load_sketch
from sketchseek.wording import class_in_words

One = TypeVar("One", Photo, Drawing)
Pixels = NDArray[np.uint8]
RANGES = 64  # photos, and as many sketches, that give the ranges of activations
MEASURED = 1000  # photos, and as many sketches, at most, to measure on
_SEED = 0


@dataclass(frozen=True)
class MeasuredPictures:
    """Prepared pictures, uint8 (n, side, side, 3); those to measure on have labels.

    ``range_photos``, ``range_sketches``: of training classes, to find ranges of activations.
    ``class_names``: class -> its name for prompts.
    """

    dataset: str
    range_photos: Pixels
    range_sketches: Pixels
    photos: Pixels
    photo_labels: NDArray[np.str_]
    sketches: Pixels
    sketch_labels: NDArray[np.str_]
    class_names: dict[str, str]


def read_pictures(root: Path, backbone: Backbone) -> MeasuredPictures:
    """A sample of the dataset in ``root``, the same in every run."""
    dataset = open_dataset(root)
    split = split_of(dataset)
    range_photos = _sample(gallery(dataset, split.train), RANGES)
    range_sketches = _sample(queries(dataset, split.train), RANGES)
    photos, sketches = _sample(gallery(dataset, split.val), MEASURED), _sample(queries(dataset, split.val), MEASURED)
    if not (range_photos and range_sketches and photos and sketches):
        raise EngineError(f"{root} has no training or no validation classes: name another dataset with --data")
    read = partial(_prepared, dataset, backbone)
    return MeasuredPictures(
        dataset=dataset.name,
        range_photos=read(range_photos),
        range_sketches=read(range_sketches),
        photos=read(photos),
        photo_labels=np.array([photo.label for photo in photos]),
        sketches=read(sketches),
        sketch_labels=np.array([sketch.label for sketch in sketches]),
        class_names={key: class_in_words(name) for key, name in dataset.classes.items() if key in split.val},
    )


def _sample(items: Sequence[One], count: int) -> list[One]:
    return sorted(random.Random(_SEED).sample(items, min(count, len(items))), key=lambda item: item.path)  # noqa: S311


def _prepared(dataset: Dataset, backbone: Backbone, items: Sequence[Photo | Drawing]) -> Pixels:
    def prepare(item: Photo | Drawing) -> Pixels:
        path = dataset.root / item.path
        if isinstance(item, Drawing):
            return fit(load_sketch(path), backbone.sketches)
        return fit(load_photo(path, target=backbone.photos.size), backbone.photos)

    return np.stack(list(map_ahead(prepare, items, workers=usable_cores(), depth=64)))
