"""One category, named with pictures of it, that a model is adapted to instead of pictures drawn by the seed."""

import filecmp
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sketchseek.datasets import Dataset, Drawing, canonical
from sketchseek.errors import SketchseekError
from sketchseek.model import CategoryModel, Model, is_category_model
from sketchseek.pictures import Sketch, load_photo, load_sketch
from sketchseek.wording import counted, nearest


@dataclass(frozen=True)
class Category:
    """One category to adapt a model to: its name in words, and pictures of it, sketches first."""

    name: str
    support: tuple[Path, ...]

    def split(self, model: Model) -> tuple[CategoryModel, tuple[Path, ...], tuple[Path, ...]]:
        """The model, and the sketches and photos among the pictures; an error if it is adapted with other numbers."""
        if not is_category_model(model):
            raise SketchseekError(f"{model.name} needs no category: omit --category and --support")
        sketches, photos = model.support
        if len(self.support) != sketches + photos:
            raise SketchseekError(
                f"{model.name} is adapted with {counted(sketches, 'sketch', 'sketches')} and "
                f"{counted(photos, 'photo')}, not {counted(len(self.support), 'picture')}: name each with --support, "
                "sketches first"
            )
        return model, self.support[:sketches], self.support[sketches:]


def open_support(
    model: CategoryModel, sketches: tuple[Path, ...], photos: tuple[Path, ...]
) -> tuple[list[Sketch], list[NDArray[np.uint8]]]:
    """Support pictures as ``for_category`` takes them."""
    return [load_sketch(file) for file in sketches], [load_photo(file, target=model.photo_side) for file in photos]


def label_of(category: Category, dataset: Dataset) -> str:
    """The class of the dataset that the category is."""
    label = canonical(category.name)
    if label not in dataset.classes:
        close = nearest(category.name, dataset.classes.values())
        hint = f"did you mean {' or '.join(close)}?" if close else "name one of its classes"
        raise SketchseekError(f"--category: {dataset.root} has no class {category.name!r}: {hint}")
    return label


def copies(dataset: Dataset, drawings: tuple[Drawing, ...], files: tuple[Path, ...]) -> set[str]:
    """The paths of those drawings that have the content of one of the files."""
    return {drawing.path for drawing in drawings if any(_same(dataset.file(drawing), file) for file in files)}


def _same(one: Path, other: Path) -> bool:
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:  # it is also among the pictures to encode, and is reported there
        return False
