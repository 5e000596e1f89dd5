from collections.abc import Callable

import pytest
import torch
from torch import Tensor


def _same(fast: Callable[..., Tensor], slow: Callable[..., Tensor], *inputs: Tensor) -> None:
    """Both give one scalar, equal in value and in the gradient of every input (float64)."""
    results = []
    for function in (fast, slow):
        leaves = [x.clone().requires_grad_() for x in inputs]
        value = function(*leaves)
        assert value.shape == ()
        results.append((value.detach(), torch.autograd.grad(value, leaves, materialize_grads=True)))
    (value, gradients), (expected_value, expected_gradients) = results
    torch.testing.assert_close(value, expected_value, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(gradients, expected_gradients, rtol=1e-8, atol=1e-9)


@pytest.fixture(scope="session")
def assert_same() -> Callable[..., None]:
    """Holds a loss against its oracle: ``assert_same(fast, slow, *float64 inputs)``."""
    return _same


def _normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(scope="session")
def normal() -> Callable[..., Tensor]:
    """``normal(seed, *shape)``: float64 from N(0, 1), the same for the same seed."""
    return _normal
