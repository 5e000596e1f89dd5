from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from sketchseek.clip.backbone import Backbone
from sketchseek.clip.files import files_in
from sketchseek.clip.weights import read_backbone
from sketchseek.methods.method import Batch, Method, Setting
from sketchseek.methods.registry import method_class

CLASSES = ("cat", "dog", "hot-air_balloon", "giraffe")


@pytest.fixture(scope="session")
def _tiny(tiny_clip_folder: Path) -> Backbone:
    return read_backbone(files_in(tiny_clip_folder))


@pytest.fixture
def backbone(_tiny: Backbone) -> Backbone:
    """The tiny CLIP, a copy of each test's own."""
    return deepcopy(_tiny)


@pytest.fixture
def build(backbone: Backbone) -> Callable[..., Any]:
    """``build(name, setting, option=value, ...)``: a method on the tiny CLIP, seeded."""

    def make(name: str, setting: Setting = "category", *, seed: int = 0, **options: Any) -> Method:
        torch.manual_seed(seed)
        kind = method_class(name)
        return kind(backbone, CLASSES, setting, kind.options_type(**options))

    return make


def draw(of_class: int, instance: int, modality: str) -> Tensor:
    """A made-up picture (3, 224, 224): a class is a shape, an instance its place and size; photos have colour."""
    generator = torch.Generator().manual_seed(100 * of_class + instance)
    x, y, size = (torch.rand(3, generator=generator) * torch.tensor([80.0, 80.0, 40.0]) + 20).tolist()
    across, down = torch.meshgrid(torch.arange(224.0) - x - size, torch.arange(224.0) - y - size, indexing="xy")
    inside = (
        (across.abs() < size) & (down.abs() < size),
        across.square() + down.square() < size**2,
        (across.abs() < size / 4) | (down.abs() < size / 4),
        ((across + down) / 20).floor() % 2 == 0,
    )[of_class]
    picture = torch.where(inside, -1.5, 2.0).expand(3, -1, -1).clone()
    if modality == "photo":
        colour = torch.randn(3, 1, 1, generator=torch.Generator().manual_seed(of_class))
        picture = torch.where(inside, colour, 0.3 * torch.randn(picture.shape, generator=generator))
    return picture


def triplets(pairs: list[tuple[int, int]], wrong: list[tuple[int, int]]) -> Batch:
    """(class, instance) of each sketch and its photo, and of its negative photo."""
    labels, negative_labels = (torch.tensor([row[0] for row in rows]) for rows in (pairs, wrong))
    return Batch(
        sketches=torch.stack([draw(*row, "sketch") for row in pairs]),
        positives=torch.stack([draw(*row, "photo") for row in pairs]),
        negatives=torch.stack([draw(*row, "photo") for row in wrong]),
        labels=labels,
        negative_labels=negative_labels,
        instances=torch.tensor([100 * c + i for c, i in pairs]),
        negative_instances=torch.tensor([100 * c + i for c, i in wrong]),
    )


@pytest.fixture(scope="session")
def category_batch() -> Batch:
    """Two sketches of each of four classes; negatives of the next class."""
    pairs = [(c, i) for c in range(4) for i in range(2)]
    return triplets(pairs, [((c + 1) % 4, i) for c, i in pairs])


@pytest.fixture(scope="session")
def fine_batch() -> Batch:
    """Four sketches of each of two classes; negatives are other photos of the class."""
    pairs = [(c, i) for c in range(2) for i in range(4)]
    return triplets(pairs, [(c, (i + 1) % 4) for c, i in pairs])


@pytest.fixture(scope="session")
def pure_batch() -> Batch:
    """Six sketches of one class, whose photos are one another's negatives."""
    pairs = [(1, i) for i in range(6)]
    return triplets(pairs, [(1, (i + 1) % 6) for _, i in pairs])


@pytest.fixture(scope="session")
def batch_for(category_batch: Batch, fine_batch: Batch, pure_batch: Batch) -> Callable[[Method], Batch]:
    """A batch as the method's plan wants it."""

    def choose(method: Method) -> Batch:
        if method.batch_plan().kind == "category-pure":
            return pure_batch
        return category_batch if method.setting == "category" else fine_batch

    return choose


@pytest.fixture(scope="session")
def as_double() -> Callable[[Batch], Batch]:
    """The same batch in float64."""
    return lambda batch: replace(
        batch,
        sketches=batch.sketches.double(),
        positives=batch.positives.double(),
        negatives=batch.negatives.double(),
    )
