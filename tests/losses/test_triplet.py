import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.losses.distances import cosine_distance, squared_euclidean_distance
from sketchseek.losses.triplet import hinges, triplet_loss


def cos(a, b):
    return (a * b).sum() / (a.square().sum().sqrt() * b.square().sum().sqrt())


SLOW_DISTANCES = {
    cosine_distance: lambda a, b: 1 - cos(a, b),
    squared_euclidean_distance: lambda a, b: 2 - 2 * cos(a, b),
}


def slow_triplet(sketch, positive, negative, margins, d):
    total = sketch.sum() * 0
    for s, p, n, margin in zip(sketch, positive, negative, margins, strict=True):
        gap = margin + d(s, p) - d(s, n)
        if gap > 0:
            total = total + gap
    return total / len(sketch)


@pytest.mark.parametrize("distance", SLOW_DISTANCES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("per_sample", [False, True], ids=["one margin", "a margin each"])
@given(n=st.integers(1, 6), size=st.integers(2, 8), seed=st.integers(0, 1000))
def test_loss_and_gradients(assert_same, normal, distance, per_sample, n, size, seed):
    margins = normal(seed + 3, n).abs() if per_sample else torch.full((n,), 0.3, dtype=torch.float64)
    assert_same(
        lambda s, p, q: triplet_loss(s, p, q, margins if per_sample else 0.3, distance),
        lambda s, p, q: slow_triplet(s, p, q, margins, SLOW_DISTANCES[distance]),
        *(normal(seed + i, n, size) for i in range(3)),
    )


def test_default_distance_is_cosine(normal):
    s, p, n = (normal(i, 5, 4) for i in range(3))
    assert triplet_loss(s, p, n, 0.3) == triplet_loss(s, p, n, 0.3, cosine_distance)


def test_order_of_samples_does_not_matter(normal):
    s, p, n = (normal(i, 7, 5) for i in range(3))
    order = torch.randperm(7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(triplet_loss(s[order], p[order], n[order], 0.3), triplet_loss(s, p, n, 0.3))


def test_satisfied_triplets_cost_nothing():
    s, n = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert triplet_loss(s, s, n, 0.3) == 0
    torch.testing.assert_close(triplet_loss(s, n, s, 0.3), torch.tensor(1.3))
    torch.testing.assert_close(triplet_loss(s, s, s, 0.3), torch.tensor(0.3))  # one photo as both: the margin stays


def test_empty_batch_is_zero():
    s = torch.zeros(0, 4, requires_grad=True)
    loss = triplet_loss(s, s, s, 0.3)
    loss.backward()
    assert loss == 0


@pytest.mark.parametrize("margin", [torch.ones(4, 1), torch.ones(3)])
def test_shapes_that_would_broadcast_are_refused(margin):
    with pytest.raises(ValueError, match="one entry per sample"):
        hinges(torch.ones(4), torch.ones(4), margin)
    with pytest.raises(ValueError, match="one entry per sample"):
        hinges(torch.ones(4), torch.ones(4, 1), 0.3)
