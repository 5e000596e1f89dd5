import pytest
import torch

from sketchseek.losses.curriculum import curriculum_loss, global_and_local_loss, hard_weight


def test_weights_of_the_papers_sixty_epochs():
    steps = 37  # of an epoch
    weights = [hard_weight(step, 60 * steps) for step in range(60 * steps)]
    assert weights == [min(0.25 * (step // steps // 10), 1) for step in range(60 * steps)]


def test_unclipped_weights_reach_five_quarters():
    assert [hard_weight(epoch, 60, clip=False) for epoch in (0, 39, 40, 49, 50, 59)] == [0, 0.75, 1, 1, 1.25, 1.25]


@pytest.mark.parametrize("steps", [7, 40, 600])
def test_a_run_of_any_length_has_all_stages(steps):
    weights = [hard_weight(step, steps) for step in range(steps)]
    assert weights == sorted(weights)
    assert set(weights) == {0, 0.25, 0.5, 0.75, 1}
    assert abs(sum(weight == 1 for weight in weights) - steps / 3) < 1


def test_stages_can_be_set():
    assert [hard_weight(step, 10, stages=5) for step in range(10)] == [0, 0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1, 1]
    assert {hard_weight(step, 10, stages=0) for step in range(10)} == {0}


@pytest.mark.parametrize("weight", [0.0, 0.25, 0.5, 0.75, 1.0, 1.25])
def test_curriculum(weight):
    ordinary, hard = torch.tensor(2.0, requires_grad=True), torch.tensor(3.0, requires_grad=True)
    loss = curriculum_loss(ordinary, hard, weight)
    ordinary_part = (1 - weight) if weight < 1 else 0
    assert loss == ordinary_part * 2 + weight * 3
    gradients = torch.autograd.grad(loss, [ordinary, hard], materialize_grads=True)
    assert [g.item() for g in gradients] == [ordinary_part, weight]


def test_windows_count_a_tenth_each():
    terms = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (1.0, 2.0, 3.0, 4.0, 5.0)]
    loss = global_and_local_loss(terms[0], terms[1:])
    torch.testing.assert_close(loss.detach(), torch.tensor(1 + 0.1 * (2 + 3 + 4 + 5), dtype=torch.float64))
    assert [g.item() for g in torch.autograd.grad(loss, terms)] == [1, 0.1, 0.1, 0.1, 0.1]


def test_window_weight_can_be_set():
    assert global_and_local_loss(torch.tensor(1.0), [torch.tensor(2.0)], local_weight=0.5) == 2
