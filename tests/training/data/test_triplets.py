from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sketchseek.datasets import open_dataset
from sketchseek.methods.method import Augmentation, Setting
from sketchseek.training.data.material import Material, training_material
from sketchseek.training.data.triplets import Triplets, draw_triplets
from sketchseek.training.recipe import Recipe


@pytest.fixture
def draw(data: Path, recipe: Callable[..., Recipe]) -> Callable[..., tuple[Material, Triplets]]:
    def make(
        setting: Setting, rows: list[int], *, seed: int = 0, epoch: int = 0, first: int = 0
    ) -> tuple[Material, Triplets]:
        material = training_material(open_dataset(data), recipe(setting=setting))
        chances = Augmentation(0.5, 0.5, 0.5)
        return material, draw_triplets(material, setting, chances, np.array(rows), seed=seed, epoch=epoch, first=first)

    return make


Draw = Callable[..., tuple[Material, Triplets]]


def test_category_level_takes_any_photo_of_the_class_and_one_of_another(draw: Draw) -> None:
    material, triplets = draw("category", [5] * 3000)
    own = material.sketch_labels[5]
    assert set(material.photo_labels[triplets.positives]) == {own}
    assert set(triplets.positives) == set(material.members[own])
    negatives = Counter(material.photo_labels[triplets.negatives].tolist())
    assert set(negatives) == {0, 1, 2, 3} - {own}
    assert max(negatives.values()) - min(negatives.values()) < 200


def test_fine_grained_takes_the_drawn_photo_and_another_of_its_class(draw: Draw) -> None:
    material, triplets = draw("fine-grained", list(range(48)) * 20)
    assert np.array_equal(triplets.positives, material.paired_photos[triplets.sketches])
    assert np.array_equal(material.photo_labels[triplets.negatives], material.sketch_labels[triplets.sketches])
    assert not np.any(triplets.negatives == triplets.positives)
    negatives = set(triplets.negatives[triplets.sketches == 0])
    assert negatives == set(material.members[0]) - {material.paired_photos[0]}


@pytest.mark.parametrize("setting", ["category", "fine-grained"])
def test_a_triplet_does_not_depend_on_how_the_batch_is_cut(setting: Setting, draw: Draw) -> None:
    _, whole = draw(setting, list(range(10, 20)), epoch=2, first=30)
    _, left = draw(setting, list(range(10, 14)), epoch=2, first=30)
    _, right = draw(setting, list(range(14, 20)), epoch=2, first=34)
    assert np.array_equal(whole.positives, np.concatenate([left.positives, right.positives]))
    assert np.array_equal(whole.negatives, np.concatenate([left.negatives, right.negatives]))
    assert whole.changes == left.changes + right.changes


def test_epochs_and_seeds_differ(draw: Draw) -> None:
    rows = list(range(48))
    drawn = [draw("category", rows, **where)[1] for where in ({}, {"epoch": 1}, {"seed": 1}, {"first": 48})]
    assert len({one.negatives.tobytes() for one in drawn}) == 4
