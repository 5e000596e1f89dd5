from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from sketchseek.clip.backbone import Backbone
from sketchseek.clip.files import files_in
from sketchseek.clip.weights import read_backbone
from sketchseek.methods.method import Batch, Method, Setting
from sketchseek.methods.registry import method_class
from tests.methods.toys import CLASSES, triplets

torch.set_num_threads(1)  # the tiny CLIP is too small to share out


@pytest.fixture(scope="session")
def _tiny(tiny_clip_folder: Path) -> Backbone:
    return read_backbone(files_in(tiny_clip_folder))


@pytest.fixture
def backbone(_tiny: Backbone) -> Backbone:
    """The tiny CLIP, a copy of each test's own."""
    return deepcopy(_tiny)


@pytest.fixture
def build(backbone: Backbone, _tiny: Backbone) -> Callable[..., Any]:
    """``build(name, setting, option=value, ...)``: a method on the test's tiny CLIP, or on a fresh copy; seeded."""

    def make(name: str, setting: Setting = "category", *, seed: int = 0, fresh: bool = False, **options: Any) -> Method:
        torch.manual_seed(seed)
        kind = method_class(name)
        return kind(deepcopy(_tiny) if fresh else backbone, CLASSES, setting, kind.options_type(**options))

    return make


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
