"""The float type that losses are computed in."""

import torch
from torch import Tensor


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision widened, other types as they are: halves hold neither squares nor the differences of a margin."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
