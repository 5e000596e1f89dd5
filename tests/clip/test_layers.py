"""A single layer outside a tower, as local windows and prompt generators use it."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor

from sketchseek.clip.layers import new_layer, run_layer
from sketchseek.clip.towers import ImageTower


def test_a_copy_of_a_layer_runs_on_windows_of_tokens(image: ImageTower, pixels: Tensor) -> None:
    run = image.run(image.embed(pixels), keep=[2, 3])
    local = deepcopy(image.stack[-1])
    torch.testing.assert_close(run_layer(local, run.tokens[2]), run.tokens[3])
    cls, grid = run.tokens[2][:, :1], run.tokens[2][:, 1:].view(4, 7, 7, 32)
    window = torch.cat((cls, grid[:, 2:, 2:].flatten(1, 2)), dim=1)
    assert run_layer(local, window).shape == (4, 26, 32)


def test_a_new_layer_has_the_shape_of_clips(noise: Callable[..., Tensor]) -> None:
    layer = new_layer(48, heads=6)
    assert sum(p.numel() for p in layer.parameters()) == 4 * (48 * 48 + 48) + 2 * 2 * 48 + 8 * 48 * 48 + 5 * 48
    out = run_layer(layer, noise(2, 5, 48))
    assert out.shape == (2, 5, 48)
    out.sum().backward()
    assert all(p.grad is not None for p in layer.parameters())
    with pytest.raises(ValueError, match="5 heads do not divide"):
        new_layer(48, heads=5)


def test_a_causal_layer_hides_what_comes_later(noise: Callable[..., Tensor]) -> None:
    layer, tokens = new_layer(32, heads=4), noise(1, 6, 32)
    changed = torch.cat((tokens[:, :4], noise(1, 2, 32)), dim=1)
    torch.testing.assert_close(
        run_layer(layer, tokens, causal=True)[:, :4], run_layer(layer, changed, causal=True)[:, :4]
    )
    assert not torch.allclose(run_layer(layer, tokens)[:, :4], run_layer(layer, changed)[:, :4])
