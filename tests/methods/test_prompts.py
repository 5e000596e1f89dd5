import torch

from sketchseek.methods.prompts import Prompts


def test_prompts_of_each_layer():
    prompts = Prompts(3, 8, layers=2)
    layers = prompts.by_layer()
    assert list(layers) == [0, 1]
    assert torch.equal(layers[1], prompts.tokens[1])
    torch.stack([tokens.sum() for tokens in layers.values()]).sum().backward()
    assert prompts.tokens.grad is not None
    assert torch.equal(prompts.tokens.grad, torch.ones(2, 3, 8))


def test_prompts_are_drawn_from_a_normal_distribution():
    torch.manual_seed(0)
    tokens = Prompts(100, 100, std=0.5).tokens
    assert tokens.shape == (1, 100, 100)
    assert abs(tokens.std() - 0.5) < 0.01
    assert abs(tokens.mean()) < 0.02
