from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from sketchseek.datasets import open_dataset
from sketchseek.methods.method import EncodeFunction, Modality
from sketchseek.training.data.material import training_material, validation_task
from sketchseek.training.data.pixels import prepared_pixels
from sketchseek.training.errors import TrainingError
from sketchseek.training.progress import NoProgress
from sketchseek.training.recipe import Recipe
from sketchseek.training.validation import Validator
from tests.training.toys import PHOTOS, Toy, ToyBackbone, ToyOptions

Make = Callable[..., Recipe]


@pytest.fixture
def validator(data: Path, recipe: Make) -> Callable[..., Validator]:
    def make(setting: str, batch: int = 5) -> Validator:
        dataset = open_dataset(data)
        one = recipe(setting=setting)
        task = validation_task(dataset, one, training_material(dataset, one))
        assert task is not None
        backbone = ToyBackbone()
        sketches, photos = (
            prepared_pixels([dataset.file(item) for item in items], kind, record, workers=1, progress=NoProgress())  # type: ignore[arg-type]
            for items, kind, record in (
                (task.queries, "sketch", backbone.sketches),
                (task.gallery, "photo", backbone.photos),
            )
        )
        return Validator(
            task, dataset.classes, sketches, photos, backbone.sketches, backbone.photos, batch, torch.device("cpu")
        )

    return make


def toy(kind: type[Toy] = Toy) -> Toy:
    torch.manual_seed(3)
    return kind(cast(Any, ToyBackbone()), ("ant",), "category", ToyOptions())


def slow_vectors(method: Toy, validator: Validator) -> tuple[np.ndarray, np.ndarray]:
    """One picture at a time, normalised."""
    method.eval()
    rows = []
    for pixels, record in (
        (validator.sketches, validator.sketch_record),
        (validator.photos, validator.photo_record),
    ):
        vectors = []
        for picture in pixels[range(len(pixels))]:
            scaled = (picture.transpose(2, 0, 1) / 255 - np.reshape(record.mean, (3, 1, 1))) / np.reshape(
                record.std, (3, 1, 1)
            )
            with torch.no_grad():
                vector = method.encode(torch.tensor(scaled[None], dtype=torch.float32), "photo")[0].double().numpy()
            vectors.append(vector / np.linalg.norm(vector))
        rows.append(np.array(vectors))
    method.train()
    return rows[0], rows[1]


def test_category_level_is_average_precision_over_the_held_out_classes(validator: Callable[..., Validator]) -> None:
    one, method = validator("category"), toy()
    sketches, photos = slow_vectors(method, one)
    precisions = []
    for query, vector in zip(one.task.queries, sketches, strict=True):
        order = np.argsort(-(photos @ vector))
        right = [one.task.gallery[row].label == query.label for row in order]
        ranks = np.flatnonzero(right) + 1
        precisions.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
    assert one.metric == "map@all"
    assert one(method, lambda _: None)["map@all"] == pytest.approx(np.mean(precisions))
    assert method.training  # left as it was


def test_fine_grained_is_accuracy_within_the_class(validator: Callable[..., Validator]) -> None:
    one, method = validator("fine-grained"), toy()
    sketches, photos = slow_vectors(method, one)
    hits = []
    for query, vector in zip(one.task.queries, sketches, strict=True):
        own = [row for row, photo in enumerate(one.task.gallery) if photo.label == query.label]
        hits.append(one.task.gallery[max(own, key=lambda row: photos[row] @ vector)].instance == query.instance)
    assert one.metric == "acc@1"
    assert one(method, lambda _: None)["acc@1"] == pytest.approx(np.mean(hits))


def test_the_size_of_a_batch_does_not_matter(validator: Callable[..., Validator]) -> None:
    method = toy()
    assert validator("category", 1)(method, lambda _: None) == validator("category", 64)(method, lambda _: None)


def test_progress_counts_every_picture(validator: Callable[..., Validator]) -> None:
    counts: list[int] = []
    one = validator("category")
    one(toy(), counts.append)
    assert sum(counts) == len(one.task.queries) + len(one.task.gallery)


class KnowsCategories(Toy):
    """Remembers what it was shown; only then it can tell photos apart."""

    shown: list[tuple[str, int, int]]

    def support(self) -> tuple[int, int] | None:
        return 1, 2

    def for_category(self, name: str, sketches: Tensor, photos: Tensor) -> EncodeFunction:
        self.shown.append((name, len(sketches), len(photos)))
        number = len(self.shown)

        def encode(pixels: Tensor, modality: Modality) -> Tensor:
            return self.encode(pixels, modality) * number

        return encode

    def encode(self, pixels: Tensor, modality: Modality) -> Tensor:
        assert self.shown, "no category was named"
        return super().encode(pixels, modality)


def test_a_method_that_knows_the_category_is_shown_some_of_it(validator: Callable[..., Validator]) -> None:
    method = cast(KnowsCategories, toy(KnowsCategories))
    method.shown = []
    one = validator("fine-grained")
    method.eval()
    with torch.no_grad():
        task, queries, photos = one._encode(method, lambda _: None)
    assert method.shown == [("emu", 1, 2), ("fox", 1, 2)]
    assert len(task.queries) == len(queries) == len(one.task.queries) - 2  # one shown sketch a class asks nothing
    assert task.gallery == one.task.gallery
    left: Sequence[str] = [query.path for query in task.queries]
    sketches, slow_photos = slow_vectors(method, one)
    kept = [row for row, query in enumerate(one.task.queries) if query.path in left]
    unit = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    np.testing.assert_allclose(unit, sketches[kept], atol=1e-5)
    np.testing.assert_allclose(photos / np.linalg.norm(photos, axis=1, keepdims=True), slow_photos, atol=1e-5)


def test_a_class_without_a_query_is_left_out(validator: Callable[..., Validator]) -> None:
    method = cast(KnowsCategories, toy(KnowsCategories))
    method.shown = []
    one = validator("fine-grained")
    rows = [row for row, query in enumerate(one.task.queries) if query.label == "fox"]
    task = replace(one.task, queries=tuple(one.task.queries[row] for row in rows))
    some = replace(one, task=task, sketches=one.sketches[rows])
    values = some(method, lambda _: None)
    assert [name for name, *_ in method.shown] == ["fox"]
    method.eval()
    with torch.no_grad():
        left, _, photos = some._encode(method, lambda _: None)
    assert {photo.label for photo in left.gallery} == {"fox"}
    assert len(photos) == len(left.gallery) == PHOTOS
    assert 0 <= values["acc@1"] <= 1


def test_vectors_without_direction_stop_the_training(validator: Callable[..., Validator]) -> None:
    method = toy()
    torch.nn.init.zeros_(method.linear.weight)
    torch.nn.init.zeros_(method.linear.bias)
    with pytest.raises(TrainingError, match="validation gave a sketch a vector that is not finite or all zero"):
        validator("category")(method, lambda _: None)
