import torch
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.losses.jigsaw import jigsaw_loss


def slow_cross_entropy(logits, label):
    powers = [torch.exp(x) for x in logits]
    return -torch.log(powers[label] / sum(powers))


def slow_loss(own, positive, negative, order):
    total = own.sum() * 0
    for i, y in enumerate(order.tolist()):
        gap = slow_cross_entropy(positive[i], y) - slow_cross_entropy(negative[i], y)
        total = total + slow_cross_entropy(own[i], y) + (gap if gap > 0 else 0)
    return total / len(own)


@given(n=st.integers(1, 5), permutations=st.integers(1, 7), seed=st.integers(0, 1000))
def test_loss_and_gradients(assert_same, normal, n, permutations, seed):
    order = torch.randint(permutations, (n,), generator=torch.Generator().manual_seed(seed))
    assert_same(
        lambda own, positive, negative: jigsaw_loss(own, positive, negative, order),
        lambda own, positive, negative: slow_loss(own, positive, negative, order),
        *(normal(seed + i, n, permutations) for i in range(3)),
    )


def test_hinge_is_taken_sample_by_sample():
    # One sample gains from its photo as much as the other loses: a hinge on the mean would be 0.
    order = torch.tensor([0, 0])
    good, bad = [1.0, 0.0], [0.0, 1.0]
    own = torch.zeros(2, 2)
    loss = jigsaw_loss(own, torch.tensor([good, bad]), torch.tensor([bad, good]), order)
    torch.testing.assert_close(loss, torch.log(torch.tensor(2.0)) + 0.5)


def test_order_of_samples_does_not_matter(normal):
    (own, positive, negative), order = (normal(i, 6, 4) for i in range(3)), torch.tensor([0, 1, 2, 3, 0, 1])
    shuffled = torch.tensor([3, 5, 0, 1, 4, 2])
    torch.testing.assert_close(
        jigsaw_loss(own[shuffled], positive[shuffled], negative[shuffled], order[shuffled]),
        jigsaw_loss(own, positive, negative, order),
    )


def test_hopeless_guesses_stay_finite():
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        logits = [torch.tensor([[500.0, -500.0]], dtype=dtype, requires_grad=True) for _ in range(3)]
        own, positive, negative = logits
        loss = jigsaw_loss(own, positive, negative, torch.tensor([1]))
        loss.backward()
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss.detach(), torch.tensor(1000.0))
        assert all(x.grad is not None and x.grad.isfinite().all() for x in logits)


def test_empty_batch_is_zero():
    none = torch.zeros(0, 5, requires_grad=True)
    loss = jigsaw_loss(none, none, none, torch.zeros(0, dtype=torch.int64))
    loss.backward()
    assert loss == 0
