import math

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
    for module in reader.modules():
        if isinstance(module, torch.nn.Linear):
            assert abs(module.weight.std() - 0.002) < 0.0003
            assert not module.bias.any()


def test_dropout_is_for_training_only(image):
    base = BasePrompts(image, 3, 0.5)
    assert not torch.equal(base(), base())
    base.eval()
    assert torch.equal(base(), base())
