"""CLIP-AT's L_PS: a shuffled sketch is nearer to its photo in the same order than in another one (fine-grained)."""

from torch import Tensor

from sketchseek.losses.triplet import triplet_loss


def patch_shuffle_loss(sketch_1: Tensor, photo_1: Tensor, photo_2: Tensor, margin: float = 0.3) -> Tensor:
    """L_PS = mean of max(0, mu_ps + d(f(s^g1), f(p^g1)) - d(f(s^g1), f(p^g2))), d = 1 - cos.

    ``sketch_1``: f(s^g1), sketches with tiles in order gamma1; ``photo_1``: f(p^g1), their paired photos in the same
    order; ``photo_2``: f(p^g2), the same photos in another order gamma2; each of shape (n, size). ``margin``: mu_ps.
    The orders come from ``methods.tiles.draw_two_orders``. Returns a scalar; 0 for n = 0.
    """
    return triplet_loss(sketch_1, photo_1, photo_2, margin)
