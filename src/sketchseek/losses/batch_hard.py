"""DP-CLIP's batch-hard triplet loss: the negative is the nearest wrong photo of the batch."""

import torch
from torch import Tensor

from sketchseek.losses.arithmetic import batch_mean
from sketchseek.losses.distances import cosine_matrix
from sketchseek.losses.triplet import hinges


def batch_hard_loss(sketch: Tensor, photo: Tensor, instances: Tensor, margin: float = 0.15) -> Tensor:
    """L_hard = mean of max(0, mu + d(s_i, p_i) - min_j d(s_i, p_j)), j over other instances, d = (1 - cos) / 2.

    ``sketch``: s, shape (n, size). ``photo``: p, row i the paired photo of sketch i, shape (n, size). ``instances``:
    the number of that photo, one integer per row, shape (n,): rows of the same photo are not negatives of each other.
    The batch has one category, so every other photo is a negative. ``margin``: mu.
    Returns a scalar. Sketches without a negative are omitted from the mean; 0 if none has one.
    """
    distances = (1 - cosine_matrix(sketch, photo)) / 2
    same = instances.unsqueeze(1) == instances.unsqueeze(0)
    has_negative = ~same.all(dim=1)
    if not has_negative.any():
        return distances.sum() * 0
    hardest = distances.masked_fill(same, torch.inf)[has_negative].amin(dim=1)
    return batch_mean(hinges(distances.diagonal()[has_negative], hardest, margin))
