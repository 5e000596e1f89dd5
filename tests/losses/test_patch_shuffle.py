import torch
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.losses.patch_shuffle import patch_shuffle_loss


def cos(a, b):
    return (a * b).sum() / (a.square().sum().sqrt() * b.square().sum().sqrt())


def slow_loss(sketch_1, photo_1, photo_2, margin):
    total = sketch_1.sum() * 0
    for s1, p1, p2 in zip(sketch_1, photo_1, photo_2, strict=True):
        gap = margin + (1 - cos(s1, p1)) - (1 - cos(s1, p2))
        total = total + (gap if gap > 0 else 0)
    return total / len(sketch_1)


@given(n=st.integers(1, 6), size=st.integers(2, 8), margin=st.sampled_from([0.1, 0.3, 1.0]), seed=st.integers(0, 1000))
def test_loss_and_gradients(assert_same, normal, n, size, margin, seed):
    assert_same(
        lambda s, p, q: patch_shuffle_loss(s, p, q, margin),
        lambda s, p, q: slow_loss(s, p, q, margin),
        *(normal(seed + i, n, size) for i in range(3)),
    )


def test_default_margin(normal):
    sketch, photo, other = (normal(i, 4, 6) for i in range(3))
    assert patch_shuffle_loss(sketch, photo, other) == patch_shuffle_loss(sketch, photo, other, margin=0.3)


def test_empty_batch_is_zero():
    none = torch.zeros(0, 4, requires_grad=True)
    loss = patch_shuffle_loss(none, none, none)
    loss.backward()
    assert loss == 0
