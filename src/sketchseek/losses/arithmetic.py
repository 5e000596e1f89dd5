"""Arithmetic shared by the losses: a mean defined for empty batches, and the float type to compute in."""

import torch
from torch import Tensor


def batch_mean(values: Tensor) -> Tensor:
    """Mean of all values; 0 if there are none, with a graph so that ``backward`` works. (...) -> ()."""
    return values.sum() / max(values.numel(), 1)


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision converted to float32, other types unchanged: halves are too coarse for squares and margins."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
