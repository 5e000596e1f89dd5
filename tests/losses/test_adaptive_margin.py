import torch
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.losses.adaptive_margin import adaptive_margin_triplet_loss, margin_table


def cos(a, b):
    return (a * b).sum() / (a.square().sum().sqrt() * b.square().sum().sqrt())


def slow_loss(sketch, positive, negative, positive_class, negative_class, texts):
    total = sketch.sum() * 0
    for i in range(len(sketch)):
        c, other = positive_class[i], negative_class[i]
        mu = 1.0 if c == other else cos(texts[c], texts[other])
        s, p, n = (x[i] / x[i].square().sum().sqrt() for x in (sketch, positive, negative))
        gap = (s - p).square().sum() - (s - n).square().sum() + mu
        if gap > 0:
            total = total + gap
    return total / len(sketch)


@given(n=st.integers(1, 6), classes=st.integers(1, 5), size=st.integers(2, 8), seed=st.integers(0, 1000))
def test_loss_and_gradients(assert_same, normal, n, classes, size, seed):
    texts = normal(seed + 3, classes, size)
    generator = torch.Generator().manual_seed(seed)
    own, other = (torch.randint(classes, (n,), generator=generator) for _ in range(2))
    assert_same(
        lambda s, p, q: adaptive_margin_triplet_loss(s, p, q, own, other, margin_table(texts)),
        lambda s, p, q: slow_loss(s, p, q, own, other, texts),
        *(normal(seed + i, n, size) for i in range(3)),
    )


def test_table_is_symmetric_with_margin_one_inside_a_class(normal):
    texts = torch.cat([normal(0, 4, 6).float(), torch.zeros(1, 6)])
    table = margin_table(texts)
    torch.testing.assert_close(table, table.T)
    assert (table.diagonal() == 1).all()  # exactly, for a text of length 0 too
    torch.testing.assert_close(table[0, 1], cos(texts[0], texts[1]))


def test_likely_named_classes_are_held_apart_further():
    cat, lynx, ship = torch.eye(3)[0], torch.tensor([1.0, 0.2, 0.0]), torch.eye(3)[2]
    table = margin_table(torch.stack([cat, lynx, ship]))
    assert table[0, 1] > table[0, 2]


def test_margins_carry_no_gradient(normal):
    texts = normal(3, 3, 4).requires_grad_()
    sketch, positive, negative = (normal(i, 5, 4).requires_grad_() for i in range(3))
    labels = torch.tensor([0, 1, 2, 0, 1]), torch.tensor([1, 2, 0, 2, 0])
    table = margin_table(texts)
    assert not table.requires_grad
    learnable_table = table.clone().requires_grad_()
    adaptive_margin_triplet_loss(sketch, positive, negative, *labels, learnable_table).backward()
    assert learnable_table.grad is None
    assert texts.grad is None
    assert all(x.grad.abs().sum() > 0 for x in (sketch, positive, negative))


def test_empty_batch_is_zero():
    none, no_labels = torch.zeros(0, 4, requires_grad=True), torch.zeros(0, dtype=torch.int64)
    loss = adaptive_margin_triplet_loss(none, none, none, no_labels, no_labels, torch.eye(3))
    loss.backward()
    assert loss == 0
