import pytest
import torch

from sketchseek.losses.precision import at_least_float32


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves_are_widened(dtype):
    assert at_least_float32(torch.ones(2, dtype=dtype)).dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_wider_types_stay_as_they_are(dtype):
    values = torch.ones(2, dtype=dtype)
    assert at_least_float32(values) is values
