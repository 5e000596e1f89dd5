"""DP-CLIP's weighted sums: ordinary triplets first, batch-hard ones later; the whole picture and four windows."""

from collections.abc import Sequence

from torch import Tensor


def hard_weight(epoch: int, every: int = 10, clip: bool = True) -> float:
    """w = 0.25 * floor(epoch / 10), epochs counted from 0.

    ``every``: epochs between two steps. ``clip``: stop at 1; the released code does not (1.25 in epochs 50 to 59
    of 60).
    """
    weight = 0.25 * (epoch // every)
    return min(weight, 1.0) if clip else weight


def curriculum_loss(ordinary: Tensor, hard: Tensor, weight: float) -> Tensor:
    """L = (1 - w) * L_ordinary + w * L_hard while w < 1, then w * L_hard. Scalars -> a scalar."""
    return (1 - weight) * ordinary + weight * hard if weight < 1 else weight * hard


def global_and_local_loss(of_global: Tensor, of_locals: Sequence[Tensor], local_weight: float = 0.1) -> Tensor:
    """L(f_g) + 0.1 * sum over i of L(f_l^i): one loss on the global features, and the same on those of each window.

    ``of_global``: a scalar. ``of_locals``: a scalar for each of the four windows. Returns a scalar.
    """
    return of_global + local_weight * sum(of_locals)
