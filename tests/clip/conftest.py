"""Towers of our own and transformers' CLIPModel around the same random weights."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from sketchseek.clip.backbone import build_clip
from sketchseek.clip.layouts import to_ours
from sketchseek.clip.towers import ImageTower, TextTower

torch.set_num_threads(2)


def ours_of(model: Any) -> tuple[ImageTower, TextTower]:
    """Our towers with the weights of a CLIPModel, frozen."""
    image, text = build_clip(model.config)
    both = torch.nn.ModuleDict({"image": image, "text": text}).requires_grad_(False).eval()
    state = to_ours(model.state_dict())
    state.pop("logit_scale")
    both.load_state_dict(state)
    return image, text


@pytest.fixture(scope="session")
def towers(tiny_clip_folder: Any) -> tuple[ImageTower, TextTower]:
    """The towers of the tiny CLIP."""
    from transformers import CLIPModel

    return ours_of(CLIPModel.from_pretrained(tiny_clip_folder))


@pytest.fixture(scope="session")
def image(towers: tuple[ImageTower, TextTower]) -> ImageTower:
    return towers[0]


@pytest.fixture(scope="session")
def text(towers: tuple[ImageTower, TextTower]) -> TextTower:
    return towers[1]


@pytest.fixture
def noise() -> Callable[..., torch.Tensor]:
    """Random numbers of any shape, the same in every run."""
    generator = torch.Generator().manual_seed(7)
    return lambda *shape: torch.randn(*shape, generator=generator)


@pytest.fixture
def pixels(noise: Callable[..., torch.Tensor]) -> torch.Tensor:
    return noise(4, 3, 224, 224)


@pytest.fixture(scope="session")
def make_pair(random_clip: Callable[..., Any]) -> Callable[..., tuple[Any, ImageTower, TextTower]]:
    """transformers' CLIPModel of a config with random weights, and our towers with the same."""

    def make(**config: Any) -> tuple[Any, ImageTower, TextTower]:
        model = random_clip(**config)
        return model, *ours_of(model)

    return make
