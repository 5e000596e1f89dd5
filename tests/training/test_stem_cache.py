import pytest
import torch
from torch import Tensor, nn

from sketchseek.clip.backbone import Backbone
from sketchseek.clip.weights import load_backbone
from sketchseek.training.stem_cache import CachedStem, StemCache, cache_stem


class Counting(nn.Module):
    """A stem that counts the pictures it has seen."""

    def __init__(self, factor: float = 2.0) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor), requires_grad=False)
        self.seen = 0

    def forward(self, pixels: Tensor) -> Tensor:
        self.seen += len(pixels)
        return self.factor * pixels.flatten(2)[:, :2]


@pytest.fixture
def pictures() -> Tensor:
    return torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def test_each_picture_passes_the_stem_once(pictures: Tensor) -> None:
    stem = Counting()
    cached = CachedStem(stem, StemCache(1))
    for rows in ([0, 1], [1, 2, 2], [5, 0]):
        assert torch.equal(cached(pictures[rows]), stem.factor * pictures[rows].flatten(2)[:, :2])
    assert stem.seen == 4


def test_the_tokens_of_a_picture_do_not_depend_on_what_is_known(tiny_backbone: Backbone) -> None:
    stem = tiny_backbone.image.stem
    pixels = torch.rand(5, 3, tiny_backbone.image.side, tiny_backbone.image.side)
    at_once = CachedStem(stem, StemCache(1))(pixels)
    piecemeal = CachedStem(stem, StemCache(1))
    piecemeal(pixels[[3, 1]])
    assert torch.equal(piecemeal(pixels), at_once)
    torch.testing.assert_close(at_once, stem(pixels))


def test_the_least_recently_used_tokens_are_dropped_first(pictures: Tensor) -> None:
    cache = StemCache(1)
    tokens = torch.zeros(50_000)  # a fifth of the room each
    for name in b"abcde":
        cache.put(bytes([name]), tokens.clone())
    assert cache.get(b"a") is not None
    cache.put(b"f", tokens.clone())
    assert [cache.get(bytes([name])) is not None for name in b"abcdef"] == [True, False, True, True, True, True]
    assert len(cache) == 5


def test_stems_with_other_weights_share_a_cache_without_mixing(pictures: Tensor) -> None:
    cache = StemCache(1)
    two, three = (CachedStem(Counting(factor), cache)(pictures) for factor in (2.0, 3.0))
    torch.testing.assert_close(1.5 * two, three)


def test_tokens_first_computed_in_inference_serve_training(pictures: Tensor) -> None:
    cached = CachedStem(Counting(), StemCache(1))
    with torch.inference_mode():
        cached(pictures)
    weight = torch.ones((), requires_grad=True)
    (weight * cached(pictures)).sum().backward()
    assert weight.grad is not None


def test_a_stem_that_is_trained_is_left_alone(tiny_backbone: Backbone) -> None:
    stem = tiny_backbone.image.stem
    cache_stem(tiny_backbone.requires_grad_(True), StemCache(1))
    assert tiny_backbone.image.stem is stem
    cache_stem(tiny_backbone.requires_grad_(False), StemCache(1))
    assert isinstance(tiny_backbone.image.stem, CachedStem)


@pytest.fixture
def tiny_backbone(tiny_clip_folder: str) -> Backbone:
    return load_backbone(tiny_clip_folder).requires_grad_(False)
