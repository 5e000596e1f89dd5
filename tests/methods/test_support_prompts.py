import math
from types import SimpleNamespace

import pytest
import torch

from sketchseek.methods.support_prompts import BasePrompts, SupportReader
from tests.methods.oracle import assert_same_gradients, linear, slow_layer


@pytest.fixture
def image(build_micro):
    return build_micro("zero-shot").backbone.image


def test_prompts_are_their_equation(image):
    torch.manual_seed(0)
    base, reader = BasePrompts(image, 3, 0.0).double(), SupportReader(image).double()
    for parameter in (*base.parameters(), *reader.parameters()):
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    support = torch.randn(3, 10, 16, dtype=torch.float64, requires_grad=True)
    rows = []
    for layer in base.tokens:
        sequence = torch.cat((*support, linear(layer, base.linear)))
        assert len(sequence) == 33
        rows.append(slow_layer(reader.layer, sequence)[-3:])
    fast, slow = reader(base(), support), torch.stack(rows)
    assert fast.shape == (2, 3, 16)
    torch.testing.assert_close(fast, slow)
    weight = torch.randn_like(fast)
    trained = [support, *base.parameters(), *reader.parameters()]
    assert_same_gradients((fast * weight).sum(), (slow * weight).sum(), trained)


def test_fresh_values_are_drawn_as_the_paper_draws_them(build):
    image = build("zero-shot").backbone.image
    torch.manual_seed(0)
    base, reader = BasePrompts(image, 50, 0.1), SupportReader(image)
    bound = math.sqrt(6 / (3 * 32 * 32 + 32))
    assert 0.98 * bound < base.tokens.abs().max() <= bound
    assert abs(base.linear.weight.std() - math.sqrt(2 / 32)) < 0.03
    released = torch.nn.MultiheadAttention(32, 4)  # which draws queries, keys and values as one Xavier matrix
    attention = reader.layer.self_attn
    for part in (attention.q_proj, attention.k_proj, attention.v_proj):
        assert abs(part.weight.std() - released.in_proj_weight.std()) < 0.01
        assert part.weight.abs().max() <= math.sqrt(6 / (32 + 3 * 32))
        assert not part.bias.any()
    for part in (attention.out_proj, reader.layer.mlp.fc1, reader.layer.mlp.fc2):
        assert abs(part.weight.std() - 0.002) < 0.0003
    assert not attention.out_proj.bias.any()
    assert reader.layer.mlp.fc1.bias.any()


def test_a_fresh_module_sees_its_category():
    """At the size of ViT-B/32 other support pictures change the prompts by several percent."""
    torch.manual_seed(0)
    reader = SupportReader(SimpleNamespace(width=768, heads=12))  # type: ignore[arg-type]
    prompts, *supports = 0.05 * torch.randn(1, 3, 768), *(0.5 * torch.randn(2, 3, 50, 768))
    with torch.no_grad():
        one, other = (reader(prompts, support) for support in supports)
    assert torch.linalg.vector_norm(one - other) > 0.05 * torch.linalg.vector_norm(one)


def test_dropout_is_for_training_only(image):
    base = BasePrompts(image, 3, 0.5)
    assert not torch.equal(base(), base())
    base.eval()
    assert torch.equal(base(), base())
