import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.losses.classification import class_logits, classification_loss


def cos(a, b):
    return (a * b).sum() / (a.square().sum().sqrt() * b.square().sum().sqrt())


def slow_loss(features, texts, labels, tau):
    """``texts`` (classes, size) or (n, classes, size)."""
    total = features.sum() * 0
    for i, label in enumerate(labels):
        own_texts = texts[i] if texts.dim() == 3 else texts
        powers = [torch.exp(cos(features[i], text) / tau) for text in own_texts]
        total = total - torch.log(powers[label] / sum(powers))
    return total / len(features)


@pytest.mark.parametrize("tau", [0.01, 0.07])
@pytest.mark.parametrize("per_picture", [False, True], ids=["one set of texts", "texts per picture"])
@given(n=st.integers(1, 5), classes=st.integers(1, 6), size=st.integers(2, 8), seed=st.integers(0, 1000))
def test_loss_and_gradients(assert_same, normal, tau, per_picture, n, classes, size, seed):
    labels = torch.randint(classes, (n,), generator=torch.Generator().manual_seed(seed))
    texts = normal(seed + 1, n, classes, size) if per_picture else normal(seed + 1, classes, size)
    assert_same(
        lambda f, t: classification_loss(f, t, labels, tau),
        lambda f, t: slow_loss(f, t, labels, tau),
        normal(seed, n, size),
        texts,
    )


def test_temperature_is_clips_by_default(normal):
    features, texts, labels = normal(0, 4, 6), normal(1, 3, 6), torch.tensor([0, 1, 2, 0])
    assert classification_loss(features, texts, labels) == classification_loss(features, texts, labels, tau=0.01)


def test_frozen_texts_stay_without_gradient(normal):
    features, texts = normal(0, 4, 6).requires_grad_(), normal(1, 3, 6)
    classification_loss(features, texts, torch.tensor([0, 1, 2, 0])).backward()
    assert features.grad.abs().sum() > 0
    assert texts.grad is None


def test_hopeless_guesses_stay_finite_in_float32():
    # The softmax itself is exp(-200), which float32 rounds to 0 and whose logarithm would be infinite.
    features, texts = torch.tensor([[1.0, 0.0]], requires_grad=True), torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    loss = classification_loss(features, texts, torch.tensor([1]), tau=0.01)
    loss.backward()
    torch.testing.assert_close(loss.detach(), torch.tensor(200.0))
    assert features.grad is not None and features.grad.isfinite().all()


def test_order_of_pictures_does_not_matter(normal):
    features, texts, labels = normal(0, 5, 6), normal(1, 3, 6), torch.tensor([0, 1, 2, 0, 1])
    order = torch.tensor([4, 2, 0, 1, 3])
    expected = classification_loss(features, texts, labels)
    torch.testing.assert_close(classification_loss(features[order], texts, labels[order]), expected)


def test_empty_batch_is_zero_and_one_class_costs_nothing(normal):
    none = torch.zeros(0, 6, requires_grad=True)
    loss = classification_loss(none, torch.ones(3, 6), torch.zeros(0, dtype=torch.int64))
    loss.backward()
    assert loss == 0
    assert classification_loss(normal(0, 4, 6), normal(1, 1, 6), torch.zeros(4, dtype=torch.int64)) == 0


def test_an_unknown_class_is_an_error_not_an_ignored_sample(normal):
    with pytest.raises(RuntimeError, match="out of bounds"):
        classification_loss(normal(0, 1, 6), normal(1, 3, 6), torch.tensor([-100]))


def test_shapes(normal):
    assert class_logits(normal(0, 4, 6), normal(1, 3, 6), 0.01).shape == (4, 3)
    assert class_logits(normal(0, 4, 6), normal(1, 4, 3, 6), 0.01).shape == (4, 3)
