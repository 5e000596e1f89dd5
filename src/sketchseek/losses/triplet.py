"""L_tri: a sketch is nearer to its photo than to another one, by a margin."""

from torch import Tensor
from torch.nn import functional

from sketchseek.losses.arithmetic import batch_mean
from sketchseek.losses.distances import Distance, cosine_distance


def hinges(to_positive: Tensor, to_negative: Tensor, margin: float | Tensor) -> Tensor:
    """[ mu + d(s, p+) - d(s, p-) ]_+ of each sample.

    ``to_positive``, ``to_negative``: d(s, p+) and d(s, p-), shape (n,). ``margin``: mu, one number or a tensor of
    shape (n,). Returns shape (n,).
    """
    if to_positive.shape != to_negative.shape or (isinstance(margin, Tensor) and margin.shape != to_positive.shape):
        # Broadcasting (n,) with (n, 1) would silently average n x n wrong triplets.
        shapes = [tuple(x.shape) for x in (to_positive, to_negative, margin) if isinstance(x, Tensor)]
        raise ValueError(f"distances and margins must have one entry per sample, but their shapes are {shapes}")
    return functional.relu(margin + to_positive - to_negative)


def triplet_loss(
    sketch: Tensor, positive: Tensor, negative: Tensor, margin: float | Tensor, distance: Distance = cosine_distance
) -> Tensor:
    """L_tri = mean of max(0, mu + d(s, p+) - d(s, p-)).

    CLIP-AT: mu = 0.3, d = 1 - cos; its fine-grained "hard" triplets take p- from the sketch's own category.
    DP-CLIP, ordinary: mu = 0.15, d = 1 - cos, p- another photo of the category. SpLIP: ``adaptive_margin``.

    ``sketch``, ``positive``, ``negative``: s, p+, p-, shape (n, size). ``margin``: mu, one for all or shape (n,).
    Returns a scalar; 0 for n = 0.
    """
    return batch_mean(hinges(distance(sketch, positive), distance(sketch, negative), margin))
