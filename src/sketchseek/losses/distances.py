"""Distances between feature vectors: the d of every equation here."""

from collections.abc import Callable

import torch
from torch import Tensor

from sketchseek.losses.arithmetic import at_least_float32

Distance = Callable[[Tensor, Tensor], Tensor]

SHORTEST = 1e-6  # a shorter vector has no direction


def unit(features: Tensor) -> Tensor:
    """Rows normalised to length 1, in float32 or wider; rows of length 0 stay 0. (..., size) -> (..., size)."""
    wide = at_least_float32(features)
    length: Tensor = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    # Dividing a row of length 0 by infinity gives no gradient; dividing by a small number would give a huge one.
    return wide / length.masked_fill(length < SHORTEST, torch.inf)


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """cos(a, b), row by row. (..., size) and (..., size) -> (...)."""
    return (unit(a) * unit(b)).sum(dim=-1)


def cosine_matrix(a: Tensor, b: Tensor) -> Tensor:
    """cos(a_i, b_j) of all pairs. (..., n, size) and (..., m, size) -> (..., n, m)."""
    # Autocast would round the matrix product to half precision: three digits of a cosine.
    with torch.autocast(device_type=a.device.type, enabled=False):
        return unit(a) @ unit(b).transpose(-2, -1)


def cosine_distance(a: Tensor, b: Tensor) -> Tensor:
    """d(a, b) = 1 - cos(a, b), from 0 to 2: CLIP-AT, and DP-CLIP's ordinary triplets. (..., size) twice -> (...)."""
    return 1 - cosine(a, b)


def squared_euclidean_distance(a: Tensor, b: Tensor) -> Tensor:
    """d(a, b) = ||a - b||^2 of rows of length 1 = 2 (1 - cos(a, b)), from 0 to 4: SpLIP. (..., size) twice -> (...)."""
    return (unit(a) - unit(b)).square().sum(dim=-1)
