import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sketchseek.datasets import Dataset, open_dataset, split_of
from sketchseek.training.data.material import training_material, validation_task
from sketchseek.training.errors import TrainingError
from sketchseek.training.recipe import Recipe
from tests.training.toys import TRAIN, UNSEEN, VAL, write_data

Make = Callable[..., Recipe]


@pytest.fixture
def dataset(data: Path) -> Dataset:
    return open_dataset(data)


@pytest.mark.parametrize("setting", ["category", "fine-grained"])
def test_training_and_validation_never_touch_unseen_classes(setting: str, dataset: Dataset, recipe: Make) -> None:
    material = training_material(dataset, recipe(setting=setting))
    task = validation_task(dataset, recipe(setting=setting), material)
    assert task is not None
    assert split_of(dataset).unseen == UNSEEN
    assert material.classes == TRAIN
    assert {sketch.label for sketch in material.sketches} | {photo.label for photo in material.photos} == set(TRAIN)
    assert {query.label for query in task.queries} | {photo.label for photo in task.gallery} == set(VAL)


def test_rows_say_what_the_files_say(dataset: Dataset, recipe: Make) -> None:
    material = training_material(dataset, recipe(setting="fine-grained"))
    for row, sketch in enumerate(material.sketches):
        assert material.classes[material.sketch_labels[row]] == sketch.label
        assert material.photos[material.paired_photos[row]].instance == sketch.instance
    for label, members in enumerate(material.members):
        assert {material.photos[row].label for row in members} == {material.classes[label]}
    assert sum(map(len, material.members)) == len(material.photos)


def test_the_fingerprint_tells_materials_apart(dataset: Dataset, recipe: Make) -> None:
    prints = {training_material(dataset, recipe(classes=spec)).fingerprint for spec in ("train", "ant,bee", "bee,cat")}
    assert len(prints) == 3


@pytest.mark.parametrize(
    ("remove", "setting", "said"),
    [
        ("photo/bee/*", "category", "has no photo to train on in bee: .*--set classes="),
        ("sketch/bee/*", "category", "has no sketch to train on in bee"),
        ("photo/bee/p[1-9]*", "fine-grained", "has a single photo in bee"),
        ("sketch/bee/*", "fine-grained", "has no sketch with a known photo to train on in bee"),
    ],
)
def test_poor_classes_are_one_sentence(remove: str, setting: str, said: str, recipe: Make, tmp_path: Path) -> None:
    root = write_data(tmp_path / "poor")
    for file in root.glob(remove):
        file.unlink()
    with pytest.raises(TrainingError, match=said):
        training_material(open_dataset(root), recipe(setting=setting))


def test_a_photo_of_its_own_is_enough_for_category_level(recipe: Make, tmp_path: Path) -> None:
    root = write_data(tmp_path / "poor")
    for file in root.glob("photo/bee/p[1-9]*"):
        file.unlink()
    assert len(training_material(open_dataset(root), recipe()).members[1]) == 1


def test_without_classes_to_validate_on(recipe: Make, tmp_path: Path) -> None:
    dataset = open_dataset(write_data(tmp_path / "poor", ("ant",)))
    (tmp_path / "poor" / "splits.json").unlink()
    dataset = open_dataset(tmp_path / "poor")
    material = training_material(dataset, recipe(setting="fine-grained"))
    with pytest.raises(TrainingError, match=r"no classes to validate on: .*--set validation=none"):
        validation_task(dataset, recipe(setting="fine-grained"), material)
    assert validation_task(dataset, recipe(validation="none"), material) is None


def test_a_subset_makes_validation_smaller(dataset: Dataset, recipe: Make) -> None:
    one = recipe(validation_subset="2-sketches-per-class")
    task = validation_task(dataset, one, training_material(dataset, one))
    assert task is not None
    assert len(task.queries) == 2 * len(VAL)


def test_photos_are_held_out_where_sketches_of_a_class_are_split(recipe: Make, tmp_path: Path) -> None:
    root = write_data(tmp_path / "shoes", ("ant",))
    (root / "splits.json").unlink()
    with (root / "pairs.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["sketch", "photo", "split"])
        for photo in range(6):
            for drawer in (1, 2):
                split = "val" if photo >= 4 else "train"
                writer.writerow([f"sketch/ant/p{photo}-{drawer}.png", f"photo/ant/p{photo}.png", split])
    dataset = open_dataset(root)
    one = recipe(setting="fine-grained")
    material = training_material(dataset, one)
    task = validation_task(dataset, one, material)
    assert task is not None
    assert {photo.path for photo in material.photos} == {f"photo/ant/p{n}.png" for n in range(4)}
    assert {photo.path for photo in task.gallery} == {"photo/ant/p4.png", "photo/ant/p5.png"}
    assert {query.split for query in task.queries} == {"val"}
    assert {sketch.split for sketch in material.sketches} == {"train"}
    assert np.all(material.paired_photos >= 0)
