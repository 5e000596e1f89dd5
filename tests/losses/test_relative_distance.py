import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sketchseek.losses.relative_distance import by_category, relative_distance_loss, relative_distances


def cos(a, b):
    return (a * b).sum() / (a.square().sum().sqrt() * b.square().sum().sqrt())


def slow_loss(deltas, categories, ordered):
    groups: dict[int, list[torch.Tensor]] = {}
    for delta, category in zip(deltas, categories.tolist(), strict=True):
        groups.setdefault(category, []).append(delta)
    shortest = min(len(group) for group in groups.values())
    distributions = []
    for category in groups:
        group = groups[category][:shortest]
        if ordered:
            group = sorted(group, key=Tensor.item)
        powers = [torch.exp(delta) for delta in group]
        distributions.append([power / sum(powers) for power in powers])
    total = deltas.sum() * 0
    for i, p in enumerate(distributions):
        for j, q in enumerate(distributions):
            if i != j:
                for p_k, q_k in zip(p, q, strict=True):
                    total = total + p_k * torch.log(p_k / q_k)
    return total / (len(groups) * (len(groups) - 1))


@pytest.mark.parametrize("ordered", [True, False])
@given(counts=st.lists(st.integers(1, 5), min_size=2, max_size=5), seed=st.integers(0, 1000))
def test_loss_and_gradients(assert_same, normal, ordered, counts, seed):
    labels = torch.tensor([7 * i + 3 for i, count in enumerate(counts) for _ in range(count)])
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]
    assert_same(
        lambda deltas: relative_distance_loss(deltas, labels, ordered),
        lambda deltas: slow_loss(deltas, labels, ordered),
        normal(seed, len(labels)),
    )


@given(n=st.integers(1, 5), seed=st.integers(0, 1000))
def test_relative_distances(normal, n, seed):
    s, p, q = (normal(seed + i, n, 6) for i in range(3))
    expected = torch.stack([(1 - cos(s[i], p[i])) - (1 - cos(s[i], q[i])) for i in range(n)])
    torch.testing.assert_close(relative_distances(s, p, q), expected)


def test_gradients_flow_to_all_three_features(normal):
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    inputs = [normal(i, 6, 4).requires_grad_() for i in range(3)]
    assert torch.autograd.gradcheck(lambda *x: relative_distance_loss(relative_distances(*x), labels), inputs)
    relative_distance_loss(relative_distances(*inputs), labels).backward()
    assert all(x.grad.abs().sum() > 0 for x in inputs)


def test_rows_keep_the_batch_order_and_the_smallest_count():
    deltas = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0])
    rows = by_category(deltas, torch.tensor([9, 2, 9, 9, 2]))
    assert rows.tolist() == [[1.0, 4.0], [0.0, 2.0]]


@given(m=st.integers(2, 5), classes=st.integers(2, 4), seed=st.integers(0, 1000))
def test_sorted_deltas_make_the_batch_order_irrelevant(normal, m, classes, seed):
    labels = torch.arange(classes).repeat_interleave(m)
    deltas = normal(seed, m * classes)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    expected = relative_distance_loss(deltas, labels)
    torch.testing.assert_close(relative_distance_loss(deltas[order], labels[order]), expected)


def test_categories_with_the_same_spread_cost_nothing_only_when_sorted():
    deltas, labels = torch.tensor([0.1, -0.4, 0.2, 0.2, 0.1, -0.4]), torch.tensor([0, 0, 0, 1, 1, 1])
    torch.testing.assert_close(relative_distance_loss(deltas, labels), torch.tensor(0.0))
    assert relative_distance_loss(deltas, labels, ordered=False) > 0.01


@pytest.mark.parametrize(
    "labels", [[], [4], [4, 4, 4], [0, 1, 1]], ids=["none", "one", "one category", "a lone triplet"]
)
def test_too_few_to_compare_is_zero(labels):
    deltas = torch.linspace(-1, 1, len(labels), requires_grad=True)
    loss = relative_distance_loss(deltas, torch.tensor(labels, dtype=torch.int64))
    loss.backward()
    assert loss == 0
    assert deltas.grad is not None and not deltas.grad.any()


def test_small_divergences_survive_float32():
    deltas = torch.tensor([0.3, 0.3001, 0.3, 0.3002], dtype=torch.float64)
    labels = torch.tensor([0, 0, 1, 1])
    exact = relative_distance_loss(deltas, labels)
    torch.testing.assert_close(relative_distance_loss(deltas.float(), labels).double(), exact, rtol=0, atol=1e-11)
