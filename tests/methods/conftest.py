from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CLIPConfig

from sketchseek.clip.backbone import Backbone, build_clip
from sketchseek.clip.weights import read_backbone
from sketchseek.hub.files import files_in
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


@pytest.fixture
def build_micro(_tiny: Backbone) -> Callable[..., Any]:
    """As ``build``, in float64 and small enough to be written out by hand: 3x3 patches, 2 layers."""

    def make(name: str, setting: Setting = "category", **options: Any) -> Method:
        torch.manual_seed(0)
        image = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
        text = image | {"hidden_size": 12, "vocab_size": _tiny.text.words.num_embeddings}
        config = CLIPConfig(vision_config={**image, "image_size": 96}, text_config=text, projection_dim=8)
        backbone = deepcopy(_tiny)
        backbone.image, backbone.text = build_clip(config)
        backbone.size = backbone.image.size
        kind = method_class(name)
        with torch.no_grad():
            for parameter in backbone.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
            method = kind(backbone, CLASSES, setting, kind.options_type(**options))
            for parameter in method.parameters():  # away from zeros, ones and copies, so that no mix-up hides
                parameter.add_(0.1 * torch.randn_like(parameter))
        return method.double()

    return make


@pytest.fixture
def micro_batch() -> Callable[..., Batch]:
    """``micro_batch(labels)``: noise for ``build_micro``; negatives of the next class, or of the same."""

    def make(labels: list[int], *, same_class: bool = False) -> Batch:
        generator = torch.Generator().manual_seed(1)
        sketches, positives, negatives = torch.randn(
            3, len(labels), 3, 96, 96, generator=generator, dtype=torch.float64
        ).unbind()
        own = torch.tensor(labels)
        return Batch(
            sketches=sketches,
            positives=positives,
            negatives=negatives,
            labels=own,
            negative_labels=own if same_class else (own + 1) % len(CLASSES),
            instances=torch.arange(len(labels)),
            negative_instances=torch.arange(len(labels)) + len(labels),
        )

    return make
