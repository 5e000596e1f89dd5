"""Arithmetic that the losses share: a mean that the empty batch has too, and the float type to compute in."""

import torch
from torch import Tensor


def batch_mean(values: Tensor) -> Tensor:
    """Mean of all values; 0 where there are none, still tied to the graph so that ``backward`` works. (...) -> ()."""
    return values.sum() / max(values.numel(), 1)


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision widened, other types as they are: halves hold neither squares nor the differences of a margin."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
