import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.losses import distances


def slow_cosine(a, b):
    """cos(a, b) of two lists of numbers."""
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(x * x for x in b))


def slow_squared_euclidean(a, b):
    length_a, length_b = math.sqrt(sum(x * x for x in a)), math.sqrt(sum(x * x for x in b))
    return sum((x / length_a - y / length_b) ** 2 for x, y in zip(a, b, strict=True))


PAIRS = {
    distances.cosine: slow_cosine,
    distances.cosine_distance: lambda a, b: 1 - slow_cosine(a, b),
    distances.squared_euclidean_distance: slow_squared_euclidean,
}


@pytest.mark.parametrize("fast", PAIRS, ids=lambda f: f.__name__)
@given(n=st.integers(1, 5), size=st.integers(2, 9), seed=st.integers(0, 1000))
def test_every_distance_is_its_equation(normal, fast, n, size, seed):
    a, b = normal(seed, n, size), normal(seed + 1, n, size)
    expected = [PAIRS[fast](x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    torch.testing.assert_close(fast(a, b), torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(fast(a * 7, b / 3), fast(a, b))  # lengths do not count


@given(n=st.integers(1, 4), m=st.integers(1, 4), seed=st.integers(0, 1000))
def test_matrix_holds_the_cosine_of_every_pair(normal, n, m, seed):
    a, b = normal(seed, n, 6), normal(seed + 1, m, 6)
    expected = torch.tensor([[slow_cosine(x, y) for y in b.tolist()] for x in a.tolist()], dtype=torch.float64)
    torch.testing.assert_close(distances.cosine_matrix(a, b), expected)


@pytest.mark.parametrize("fast", [*PAIRS, distances.cosine_matrix], ids=lambda f: f.__name__)
def test_gradients(normal, fast):
    inputs = [normal(seed, 3, 4).requires_grad_() for seed in (0, 1)]
    assert torch.autograd.gradcheck(fast, inputs)


@pytest.mark.parametrize("fast", [*PAIRS, distances.cosine_matrix], ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_gradients_are_finite_at_equal_opposite_and_zero_vectors(fast, dtype):
    row = torch.tensor([3.0, -4.0], dtype=dtype)
    a = torch.stack([row, row, row * 0, row * 0, row]).requires_grad_()
    b = torch.stack([row, -row, row, row * 0, row * 100]).requires_grad_()
    value = fast(a, b)
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    value.sum().backward()
    assert value.isfinite().all()
    assert all(x.grad is not None and x.grad.isfinite().all() for x in (a, b))


def test_ends_of_each_scale():
    a = torch.tensor([[3.0, 4.0], [3.0, 4.0], [0.0, 0.0]])
    b = torch.tensor([[6.0, 8.0], [-3.0, -4.0], [1.0, 0.0]])
    torch.testing.assert_close(distances.cosine_distance(a, b), torch.tensor([0.0, 2.0, 1.0]))
    torch.testing.assert_close(distances.squared_euclidean_distance(a, b), torch.tensor([0.0, 4.0, 1.0]))


def test_autocast_does_not_round_the_cosines(normal):
    a, b = normal(0, 8, 64).float(), normal(1, 8, 64).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (a @ b.T).dtype == torch.bfloat16  # autocast is at work
        rounded = distances.cosine_matrix(a, b)
    torch.testing.assert_close(rounded, distances.cosine_matrix(a, b), rtol=0, atol=0)
