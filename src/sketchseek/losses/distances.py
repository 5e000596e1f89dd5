"""How far apart two feature vectors are; the d of every equation here."""

from collections.abc import Callable

import torch
from torch import Tensor

from sketchseek.losses.arithmetic import at_least_float32

Distance = Callable[[Tensor, Tensor], Tensor]

# A shorter vector has no direction.
SHORTEST = 1e-6


def unit(features: Tensor) -> Tensor:
    """Rows brought to length 1, in float32 at least; rows of length 0 stay 0. (..., size) -> (..., size)."""
    wide = at_least_float32(features)
    length: Tensor = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    # Divided by infinity a row of length 0 gets no gradient; divided by a small number it would get an endless one.
    return wide / length.masked_fill(length < SHORTEST, torch.inf)


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """cos(a, b), row by row. (..., size) and (..., size) -> (...)."""
    return (unit(a) * unit(b)).sum(dim=-1)


def cosine_matrix(a: Tensor, b: Tensor) -> Tensor:
    """cos(a_i, b_j) of all pairs. (..., n, size) and (..., m, size) -> (..., n, m)."""
    # Autocast would round the product of matrices to half precision: three digits of a cosine.
    with torch.autocast(device_type=a.device.type, enabled=False):
        return unit(a) @ unit(b).transpose(-2, -1)


def cosine_distance(a: Tensor, b: Tensor) -> Tensor:
    """d(a, b) = 1 - cos(a, b), from 0 to 2: CLIP-AT, and DP-CLIP's ordinary triplets. (..., size) twice -> (...)."""
    return 1 - cosine(a, b)


def squared_euclidean_distance(a: Tensor, b: Tensor) -> Tensor:
    """d(a, b) = ||a - b||^2 of rows of length 1 = 2 (1 - cos(a, b)), from 0 to 4: SpLIP. (..., size) twice -> (...)."""
    return (unit(a) - unit(b)).square().sum(dim=-1)
