"""A single layer outside a tower, as local windows and prompt generators use it."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor

from sketchseek.clip.layers import Branch, new_layer, run_layer
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
    with pytest.raises(ValueError, match="cannot be divided among 5 heads"):
        new_layer(48, heads=5)


def test_a_causal_layer_hides_what_comes_later(noise: Callable[..., Tensor]) -> None:
    layer, tokens = new_layer(32, heads=4), noise(1, 6, 32)
    changed = torch.cat((tokens[:, :4], noise(1, 2, 32)), dim=1)
    torch.testing.assert_close(
        run_layer(layer, tokens, causal=True)[:, :4], run_layer(layer, changed, causal=True)[:, :4]
    )
    assert not torch.allclose(run_layer(layer, tokens)[:, :4], run_layer(layer, changed)[:, :4])


def test_the_first_token_alone_is_the_first_of_all_with_its_gradients(noise: Callable[..., Tensor]) -> None:
    layer, weight, down, up = new_layer(32, heads=4), noise(2, 1, 32), noise(32, 96) * 0.1, noise(32, 32) * 0.1
    branch = Branch(qkv=lambda tokens: tokens @ down, mlp=lambda tokens: tokens @ up)
    results = []
    for first_only in (False, True):
        tokens = noise_of(5).requires_grad_()
        out = run_layer(layer, tokens, branch=branch, first_only=first_only)
        assert out.shape == (2, 1 if first_only else 6, 32)
        (out[:, :1] * weight).sum().backward()
        results.append(
            (out[:, :1].detach(), tokens.grad, layer.mlp.fc1.weight.grad, layer.self_attn.q_proj.weight.grad)
        )
        layer.zero_grad()
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)


def noise_of(seed: int) -> Tensor:
    return torch.randn(2, 6, 32, generator=torch.Generator().manual_seed(seed))


def test_a_tower_that_keeps_its_last_tokens_gives_the_same_embedding(image: ImageTower, pixels: Tensor) -> None:
    tokens = image.embed(pixels)
    torch.testing.assert_close(image.run(tokens).embedding, image.run(tokens, keep=[image.depth]).embedding)


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_the_activation_is_the_same_with_gradients_and_without(activation: str) -> None:
    layer, tokens = new_layer(32, heads=4, activation=activation).double(), noise_of(1).double().requires_grad_()
    with_gradients = run_layer(layer, tokens)
    with torch.no_grad():
        torch.testing.assert_close(with_gradients.detach(), run_layer(layer, tokens), rtol=1e-12, atol=1e-12)
    assert torch.autograd.gradcheck(lambda x: run_layer(layer, x), [tokens[:1, :2].detach().requires_grad_()])
