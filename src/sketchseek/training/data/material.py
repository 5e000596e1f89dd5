"""Sketches, photos and classes that a training uses, as numbered rows; and the task it is validated on."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sketchseek.datasets import (
    Dataset,
    Drawing,
    Photo,
    fine_grained,
    gallery,
    known_splits,
    published_split,
    queries,
    select_classes,
    split_of,
)
from sketchseek.evaluation.protocols import ProtocolOptions, Task, build_task
from sketchseek.evaluation.subset import EVERYTHING, parse_subset
from sketchseek.methods.method import Setting
from sketchseek.training.errors import TrainingError
from sketchseek.training.recipe import Recipe
from sketchseek.wording import listed

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Material:
    """Training pictures. A label is a row of ``classes``; positives and negatives are rows of ``photos``."""

    classes: tuple[str, ...]  # canonical, sorted
    class_names: tuple[str, ...]  # of each class, for prompts
    sketches: tuple[Drawing, ...]
    photos: tuple[Photo, ...]  # each once

    @cached_property
    def sketch_labels(self) -> Rows:
        return self._labels(self.sketches)

    @cached_property
    def photo_labels(self) -> Rows:
        return self._labels(self.photos)

    @cached_property
    def paired_photos(self) -> Rows:
        """The row of the photo each sketch shows; -1 if unknown."""
        row_of = {photo.instance: row for row, photo in enumerate(self.photos)}
        return np.array([row_of.get(sketch.instance or "", -1) for sketch in self.sketches], np.int64)

    @cached_property
    def members(self) -> list[Rows]:
        """The photos of each class."""
        return [np.flatnonzero(self.photo_labels == label) for label in range(len(self.classes))]

    @property
    def fingerprint(self) -> str:
        """A hash over the order of all pictures: a training only resumes with the same material."""
        sketches, photos = [one.path for one in self.sketches], [one.path for one in self.photos]
        lines = [*self.classes, "", *sketches, "", *photos]
        return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()

    def _labels(self, items: Sequence[Drawing | Photo]) -> Rows:
        row_of = {name: row for row, name in enumerate(self.classes)}
        return np.array([row_of[item.label] for item in items], np.int64)


def training_material(dataset: Dataset, recipe: Recipe) -> Material:
    """The pictures of the recipe's classes; raises an error if there are too few for its setting."""
    classes = select_classes(dataset, recipe.classes)
    if recipe.setting == "fine-grained":
        pairs = fine_grained(dataset, classes)
        sketches = tuple(drawing for drawing, _ in pairs.pairs)
        photos = tuple(photo for label in classes for photo in pairs.galleries[label])
    else:
        sketches, photos = queries(dataset, classes), gallery(dataset, classes, "dedup")
    if _split_by_instance(dataset, classes):
        held_out = {drawing.instance for drawing in dataset.sketches if drawing.split not in ("", "train")}
        sketches = tuple(drawing for drawing in sketches if drawing.split in ("", "train"))
        photos = tuple(photo for photo in photos if photo.instance not in held_out)
    material = Material(classes, tuple(dataset.classes[label] for label in classes), sketches, photos)
    _check(dataset, material, recipe.setting)
    return material


def _check(dataset: Dataset, material: Material, setting: Setting) -> None:
    way_out = "complete it, or name the classes to train on with --set classes=a,b,..."
    drawings = np.bincount(material.sketch_labels, minlength=len(material.classes))
    photos = np.bincount(material.photo_labels, minlength=len(material.classes))
    paired = " with a known photo" if setting == "fine-grained" else ""
    for name, label in zip(material.class_names, material.classes, strict=True):
        if not name.strip():
            raise TrainingError(f"the class {label!r} in {dataset.root} has no name in words: rename its folder")
    for what, counts in ((f"sketch{paired}", drawings), ("photo", photos)):
        if empty := [name for name, count in zip(material.class_names, counts, strict=True) if not count]:
            raise TrainingError(f"{dataset.root} has no {what} to train on in {listed(empty)}: {way_out}")
    if setting == "fine-grained":
        if single := [name for name, count in zip(material.class_names, photos, strict=True) if count == 1]:
            raise TrainingError(
                f"{dataset.root} has a single photo in {listed(single)}, and fine-grained training needs another one "
                f"of the class as the wrong one: {way_out}"
            )
    elif len(material.classes) == 1:
        raise TrainingError(
            f"{material.class_names[0]!r} is the only class to train on, and category-level training needs photos of "
            "another class: name more with --set classes=a,b,... or use --setting fine-grained"
        )


def validation_task(dataset: Dataset, recipe: Recipe, trained: Material) -> Task | None:
    """Queries and gallery on which the best state is chosen; None for a recipe without validation.

    They come from held-out seen classes, or, if sketches are split by the photo they show, from held-out photos.
    """
    if recipe.validation == "none":
        return None
    protocol = ProtocolOptions(
        "fine-grained" if recipe.setting == "fine-grained" else "zero-shot",
        classes=recipe.validation,
        subset=EVERYTHING if recipe.validation_subset is None else parse_subset(recipe.validation_subset),
        seed=0,  # the validation pictures must not depend on the recipe's seed
    )
    if _split_by_instance(dataset, trained.classes):
        return _held_out_instances(dataset, protocol, trained)
    if recipe.validation == "val" and not split_of(dataset).val:
        raise TrainingError(
            f"{dataset.root} has no classes to validate on: hold some out with a splits.json, or keep the last state "
            "with --set validation=none"
        )
    chosen = select_classes(dataset, recipe.validation)
    if both := set(chosen) & set(trained.classes):
        raise TrainingError(
            f"{listed(sorted(dataset.classes[label] for label in both))}: trained on and validated on; use other "
            "classes for --set classes=... or --set validation=..."
        )
    if unseen := set(chosen) & _unseen(dataset, recipe):
        raise TrainingError(
            f"{listed(sorted(dataset.classes[label] for label in unseen))}: test classes, on which nothing may be "
            "chosen; use seen ones for --set validation=..."
        )
    return build_task(dataset, protocol, "dedup")


def _split_by_instance(dataset: Dataset, classes: Collection[str]) -> bool:
    """Whether sketches of one class are marked for both training and validation: photos are held out, not classes."""
    marks: dict[str, set[str]] = {}
    for drawing in dataset.sketches:
        marks.setdefault(drawing.label, set()).add(drawing.split)
    return any({"train", "val"} <= marks.get(label, set()) for label in classes)


def _held_out_instances(dataset: Dataset, protocol: ProtocolOptions, trained: Material) -> Task:
    task = build_task(dataset, replace(protocol, classes=",".join(trained.classes) + ","), "dedup")
    chosen = tuple(drawing for drawing in task.queries if drawing.split == "val")
    seen = {photo.instance for photo in trained.photos}
    return replace(task, queries=chosen, gallery=tuple(photo for photo in task.gallery if photo.instance not in seen))


def _unseen(dataset: Dataset, recipe: Recipe) -> set[str]:
    """The test classes of the recipe's split."""
    names = [spec.partition(":")[0] for spec in (recipe.classes, recipe.validation)]
    published = [published_split(name) for name in names if name in known_splits()]
    return {label for split in published or [split_of(dataset)] for label in split.unseen}
