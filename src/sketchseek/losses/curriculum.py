"""DP-CLIP's weighted sums: ordinary triplets first, batch-hard ones later; the whole picture and four windows."""

from collections.abc import Sequence

from torch import Tensor


def hard_weight(step: int, steps: int, stages: int = 6, clip: bool = True) -> float:
    """w = 0.25 * floor(stages * step / steps): 0 in the first stage of the training, 0.25 in the second, and so on.

    The paper's w = 0.25 * floor(epoch / 10) in 60 epochs has 6 stages. ``step`` is counted from 0, ``steps`` are all.
    ``clip``: stop at 1; the released code does not (1.25 in its last stage).
    """
    weight = 0.25 * (stages * step // steps)
    return min(weight, 1.0) if clip else weight


def curriculum_loss(ordinary: Tensor, hard: Tensor, weight: float) -> Tensor:
    """L = (1 - w) * L_ordinary + w * L_hard while w < 1, then w * L_hard. Scalars -> a scalar."""
    return (1 - weight) * ordinary + weight * hard if weight < 1 else weight * hard


def global_and_local_loss(of_global: Tensor, of_locals: Sequence[Tensor], local_weight: float = 0.1) -> Tensor:
    """L(f_g) + 0.1 * sum over i of L(f_l^i): one loss on the global features, and the same on those of each window.

    ``of_global``: a scalar. ``of_locals``: a scalar for each of the four windows. Returns a scalar.
    """
    return of_global + local_weight * sum(of_locals)
