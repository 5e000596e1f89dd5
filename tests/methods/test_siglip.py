"""Every method on a SigLIP, whose towers have neither CLS nor SOS."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from sketchseek.clip.adaptation import Adaptation
from sketchseek.clip.weights import load_backbone
from sketchseek.methods.method import Batch, Clock, Method
from sketchseek.methods.registry import METHODS, method_class
from sketchseek.methods.side_branch import SideBranch
from sketchseek.methods.windows import LocalHead
from tests.engine.convert.conftest import siglip  # noqa: F401 - a fixture
from tests.methods.toys import CLASSES

MANY: list[tuple[str, str, dict[str, Any]]] = [
    *((name, "category", {"window": 2} if name == "dp-clip" else {}) for name in METHODS if name != "zero-shot"),
    ("clip-at", "fine-grained", {"forgotten": True}),
    ("splip", "category", {"text_cost": "per-image", "before_pre_norm": True}),
    ("dp-clip", "fine-grained", {"window": 3, "forgotten": True}),
]


@pytest.fixture
def build(siglip: tuple[Path, Any]) -> Callable[..., Method]:  # noqa: F811 - the fixture
    """A method on a tiny SigLIP of its own; seeded."""

    def make(name: str, setting: Any, seed: int = 0, **options: Any) -> Method:
        torch.manual_seed(seed)
        kind = method_class(name)
        return kind(load_backbone(siglip[0]), CLASSES, setting, kind.options_type(**options))

    return make


@pytest.fixture
def batch(noise: Callable[..., torch.Tensor]) -> Batch:
    """Four triplets of one class, so that every plan of a batch is met."""
    one = torch.ones(4, dtype=torch.int64)
    sketches, positives, negatives = noise(3, 4, 3, 64, 64).unbind()
    return Batch(sketches, positives, negatives, one, 2 * one, torch.arange(4), 4 + torch.arange(4))


@pytest.fixture
def noise() -> Callable[..., torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    return lambda *shape: torch.randn(*shape, generator=generator)


def embeddings(method: Method, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    with torch.inference_mode():
        method.eval()
        sketches, photos = method.support() or (0, 0)
        encode = method.for_category(CLASSES[1], batch.sketches[:sketches], batch.positives[:photos])
        texts = method.encode_texts(["a photo of a cat", ""])
        return encode(batch.sketches, "sketch").clone(), encode(batch.positives, "photo").clone(), texts.clone()


@pytest.mark.parametrize(("name", "setting", "options"), MANY)
def test_two_steps_of_training_come_back_from_the_adapter(
    build: Callable[..., Method], batch: Batch, name: str, setting: str, options: dict[str, Any]
) -> None:
    method = build(name, setting, **options)
    started = embeddings(method, batch)
    parameters = [parameter for group in method.groups() for parameter in group.parameters]
    optimiser = torch.optim.Adam(parameters, lr=1e-2)
    method.train()
    for step in range(2):
        loss = sum(method.losses(batch, Clock(0, step, 2)).values(), torch.zeros(()))
        assert torch.isfinite(loss)
        optimiser.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None for parameter in parameters)
        optimiser.step()
    trained = embeddings(method, batch)
    assert not torch.equal(started[0], trained[0])
    assert trained[0].shape == (4, method.size)
    stored = save({name: tensor.contiguous() for name, tensor in method.adapter().items()})
    fresh = build(name, setting, seed=1, **options)
    fresh.load_adapter(load(stored))
    for one, other in zip(embeddings(fresh, batch), trained, strict=True):
        assert torch.equal(one, other)


def test_windows_are_pooled_like_a_whole_picture(
    build: Callable[..., Method], noise: Callable[..., torch.Tensor]
) -> None:
    image = build("zero-shot", "category").backbone.image
    head = LocalHead(image, side=2, branch=SideBranch(image.width, 3))
    tokens = noise(2, 16, 32)
    assert head.indices.tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    with torch.inference_mode():
        found = head(tokens)
        for picture, parts in zip(tokens, found, strict=True):
            for window, part in zip(head.indices, parts, strict=True):
                # A branch has no effect at first.
                read = image.read(image.run_layer(image.depth - 1, picture[window][None], Adaptation()))
                torch.testing.assert_close(part, read[0], rtol=1e-5, atol=1e-5)
