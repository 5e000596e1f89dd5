import torch

from sketchseek.losses.mean import batch_mean


def test_mean():
    torch.testing.assert_close(batch_mean(torch.tensor([1.0, 2.0, 6.0])), torch.tensor(3.0))


def test_empty_batch_is_zero_and_can_be_trained_on():
    values = torch.zeros(0, requires_grad=True)
    mean = batch_mean(values)
    mean.backward()
    assert mean.item() == 0
    assert values.grad.shape == (0,)
