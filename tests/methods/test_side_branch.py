import math

import pytest
import torch

from sketchseek.clip.layers import new_layer, run_layer
from sketchseek.methods.side_branch import SideBranch, TextScales
from tests.methods.oracle import assert_same_gradients, linear, slow_layer


def noisy(module):
    for parameter in module.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    return module.double()


@pytest.mark.parametrize("factor", [None, 0.0625])
def test_branch_beside_a_layer_is_its_equation(factor):
    torch.manual_seed(0)
    layer, branch = noisy(new_layer(8, 2)), noisy(SideBranch(8, 3, factor))
    a, b, tokens = (torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((3,), (3,), (2, 5, 8)))
    assert branch.attention_factor == (1 / 3 if factor is None else factor)
    fast = run_layer(layer, tokens, branch=branch.scaled(a, b))
    slow = torch.stack([slow_layer(layer, one, side=(branch, a, b)) for one in tokens])
    torch.testing.assert_close(fast, slow)
    weight = torch.randn_like(fast)
    assert_same_gradients((fast * weight).sum(), (slow * weight).sum(), [a, b, tokens, *branch.parameters()])


def test_no_scale_is_a_scale_of_zero():
    torch.manual_seed(0)
    layer, branch = noisy(new_layer(8, 2)), noisy(SideBranch(8, 3))
    tokens, zero = torch.randn(2, 5, 8, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    scaled = run_layer(layer, tokens, branch=branch.scaled(zero, zero))
    torch.testing.assert_close(run_layer(layer, tokens, branch=branch.scaled()), scaled)


def test_a_fresh_branch_changes_nothing():
    torch.manual_seed(0)
    layer, tokens = new_layer(8, 2), torch.randn(2, 5, 8)
    fresh = SideBranch(8, 3).scaled(torch.randn(3), torch.randn(3))
    assert torch.equal(run_layer(layer, tokens, branch=fresh), run_layer(layer, tokens))


def test_fresh_matrices_are_drawn_as_a_linear_layer_draws_its_own():
    branch = SideBranch(width=600, rank=16)
    bound = 1 / math.sqrt(600)  # kaiming uniform with a = sqrt(5)
    for matrix in (branch.attention_in, branch.mlp_in):
        assert 0.95 * bound < matrix.abs().max() <= bound
    assert not branch.attention_out.any()
    assert not branch.mlp_out.any()


def test_scales_are_their_equation_and_start_near_zero():
    torch.manual_seed(0)
    scales, text = TextScales(size=6, rank=4), torch.randn(6)
    assert torch.cat(scales(text)).abs().max() < 0.01
    noisy(scales)
    expected = linear(linear(text.double()[None], scales.hidden).clamp(min=0), scales.last)[0]
    a, b = scales(text.double())
    torch.testing.assert_close(a, expected[:4])
    torch.testing.assert_close(b, expected[4:])
