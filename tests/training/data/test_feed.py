from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sketchseek.datasets import open_dataset
from sketchseek.methods.method import Augmentation, Batch, BatchPlan
from sketchseek.pictures import Preprocessing, load_photo, load_sketch, prepare
from sketchseek.pictures.prepare import normalise
from sketchseek.training.data.feed import Feed, to_input
from sketchseek.training.data.material import training_material
from sketchseek.training.data.pixels import prepared_pixels
from sketchseek.training.data.timetable import Timetable
from sketchseek.training.progress import NoProgress
from sketchseek.training.recipe import Recipe

PHOTOS = Preprocessing(size=16)
SKETCHES = Preprocessing(size=16, fill=(255, 255, 255), mean=(0.5, 0.5, 0.5))


@pytest.fixture
def feed(data: Path, recipe: Callable[..., Recipe]) -> Callable[..., Feed]:
    dataset = open_dataset(data)
    material = training_material(dataset, recipe())

    def make(**changes: Any) -> Feed:
        batch, world = changes.get("batch", 8), changes.pop("world", 1)
        values: dict[str, Any] = {
            "material": material,
            "setting": "category",
            "sketches": prepared_pixels(
                [dataset.file(one) for one in material.sketches], "sketch", SKETCHES, workers=1, progress=NoProgress()
            ),
            "photos": prepared_pixels(
                [dataset.file(one) for one in material.photos], "photo", PHOTOS, workers=1, progress=NoProgress()
            ),
            "sketch_record": SKETCHES,
            "photo_record": PHOTOS,
            "timetable": Timetable(
                material.sketch_labels,
                BatchPlan("shuffled"),
                batch=batch * world,
                parts=1,
                epochs=2,
                steps=None,
                seed=4,
            ),
            "augmentation": Augmentation(),
            "seed": 4,
            "rank": 0,
            "parts": 1,
            "batch": batch,
            "workers": 2,
            "device": torch.device("cpu"),
        }
        return Feed(**values | changes)

    return make


def joined(parts: list[Batch]) -> tuple[torch.Tensor, ...]:
    return tuple(torch.cat(tensors) for tensors in zip(*(vars(part).values() for part in parts), strict=True))


def test_input_is_what_searching_prepares(data: Path, feed: Callable[..., Feed]) -> None:
    one = feed()
    material = one.material
    rows, _ = one.timetable.rows(0)
    (batch,) = next(one.steps(0))
    for place, row in enumerate(rows):
        wanted = prepare(load_sketch(data / material.sketches[row].path), SKETCHES)
        torch.testing.assert_close(batch.sketches[place], torch.from_numpy(wanted))
        photo = material.photos[int(batch.instances[place])]
        assert photo.label == material.classes[int(batch.labels[place])] == material.sketches[row].label
        wanted = prepare(load_photo(data / photo.path, target=16), PHOTOS)
        torch.testing.assert_close(batch.positives[place], torch.from_numpy(wanted))
        wrong = material.photos[int(batch.negative_instances[place])]
        assert wrong.label == material.classes[int(batch.negative_labels[place])] != photo.label
        wanted = prepare(load_photo(data / wrong.path, target=16), PHOTOS)
        torch.testing.assert_close(batch.negatives[place], torch.from_numpy(wanted))


def test_parts_and_processes_cut_the_same_batch(feed: Callable[..., Feed]) -> None:
    chances = Augmentation(0.5, 0.5, 0.5)
    whole = [joined(parts) for parts in feed(batch=8, augmentation=chances).steps(3)]
    in_parts = [joined(parts) for parts in feed(batch=8, parts=4, augmentation=chances).steps(3)]
    by_rank = [feed(batch=4, world=2, rank=rank, augmentation=chances).steps(3) for rank in (0, 1)]
    by_process = [joined([*left, *right]) for left, right in zip(*by_rank, strict=True)]
    assert len(whole) == 2 * 6 - 3
    for other in (in_parts, by_process):
        for wanted, found in zip(whole, other, strict=True):
            assert all(torch.equal(left, right) for left, right in zip(wanted, found, strict=True))


def test_to_input_is_what_searching_makes_of_pictures() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 7, 3), np.uint8)
    record = Preprocessing(size=7, mean=(0.48, 0.46, 0.41), std=(0.27, 0.26, 0.28))
    found = to_input(pixels, record, torch.device("cpu"))
    assert np.array_equal(found.numpy(), normalise(pixels, record))
    assert found.is_contiguous()
