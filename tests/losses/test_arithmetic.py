import pytest
import torch

from sketchseek.losses.arithmetic import at_least_float32, batch_mean


def test_mean():
    torch.testing.assert_close(batch_mean(torch.tensor([1.0, 2.0, 6.0])), torch.tensor(3.0))


def test_empty_batch_is_zero_and_can_be_trained_on():
    values = torch.zeros(0, requires_grad=True)
    mean = batch_mean(values)
    mean.backward()
    assert mean.item() == 0
    assert values.grad is not None and values.grad.shape == (0,)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves_are_widened(dtype):
    assert at_least_float32(torch.ones(2, dtype=dtype)).dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_wider_types_stay_as_they_are(dtype):
    values = torch.ones(2, dtype=dtype)
    assert at_least_float32(values) is values
