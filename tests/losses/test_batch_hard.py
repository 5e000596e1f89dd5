import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sketchseek.losses.batch_hard import batch_hard_loss


def cos(a, b):
    return (a * b).sum() / (a.square().sum().sqrt() * b.square().sum().sqrt())


def slow_loss(sketch, photo, instances, margin):
    terms = []
    for i in range(len(sketch)):
        negatives = [
            (1 - cos(sketch[i], photo[j])) / 2 for j in range(len(photo)) if instances[j].item() != instances[i].item()
        ]
        if negatives:
            gap = margin + (1 - cos(sketch[i], photo[i])) / 2 - min(negatives, key=Tensor.item)
            terms.append(gap if gap > 0 else gap * 0)
    return sum(terms) / len(terms) if terms else sketch.sum() * 0 + photo.sum() * 0


@given(
    instances=st.lists(st.integers(0, 4), min_size=1, max_size=8),
    size=st.integers(2, 8),
    margin=st.sampled_from([0.15, 0.5]),
    seed=st.integers(0, 1000),
)
def test_loss_and_gradients(assert_same, normal, instances, size, margin, seed):
    ids = torch.tensor(instances)
    assert_same(
        lambda s, p: batch_hard_loss(s, p, ids, margin),
        lambda s, p: slow_loss(s, p, ids, margin),
        normal(seed, len(ids), size),
        normal(seed + 1, len(ids), size),
    )


@given(instances=st.lists(st.integers(0, 4), min_size=2, max_size=8), seed=st.integers(0, 1000))
def test_order_of_samples_does_not_matter(normal, instances, seed):
    ids, sketch, photo = torch.tensor(instances), normal(seed, len(instances), 5), normal(seed + 1, len(instances), 5)
    order = torch.randperm(len(ids), generator=torch.Generator().manual_seed(seed))
    expected = batch_hard_loss(sketch, photo, ids)
    torch.testing.assert_close(batch_hard_loss(sketch[order], photo[order], ids[order]), expected)


def test_the_nearest_other_photo_is_the_negative():
    sketch = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    photo = torch.tensor([[1.0, 0.0], [1.0, 1.0], [-1.0, 0.0]])
    near = (1 - 0.5**0.5) / 2
    # Sketch 0: d+ = 0, its nearest other is photo 1. Sketch 1: d+ = near, others at 0.5. Sketch 2: d+ = 0, nearest 0.5.
    expected = (0.15 - near + 0 + 0) / 3
    torch.testing.assert_close(
        batch_hard_loss(sketch, photo, torch.tensor([5, 6, 7])), torch.tensor(max(expected, 0.0))
    )


def test_two_sketches_of_one_photo_are_no_negatives_of_each_other():
    sketch = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    photo = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert batch_hard_loss(sketch, photo, torch.tensor([1, 1, 2])) == 0
    assert batch_hard_loss(sketch, photo, torch.tensor([1, 3, 2])) > 0.09


def test_without_any_negative_the_loss_is_zero_and_so_are_its_gradients():
    for ids in (torch.tensor([3]), torch.tensor([3, 3, 3]), torch.zeros(0, dtype=torch.int64)):
        sketch, photo = (torch.ones(len(ids), 4, requires_grad=True) for _ in range(2))
        loss = batch_hard_loss(sketch, photo, ids)
        loss.backward()
        assert loss == 0
        assert all(x.grad is not None and not x.grad.any() for x in (sketch, photo))


def test_duplicate_photos_give_finite_gradients():
    sketch = torch.ones(4, 3, requires_grad=True)
    photo = torch.ones(4, 3, requires_grad=True)
    loss = batch_hard_loss(sketch, photo, torch.arange(4))
    loss.backward()
    torch.testing.assert_close(loss.detach(), torch.tensor(0.15))
    assert all(x.grad is not None and x.grad.isfinite().all() for x in (sketch, photo))
