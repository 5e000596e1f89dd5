"""SpLIP's L_cjs: a sketch's jigsaw must be solved at least as well with the true photo as with a wrong one."""

from torch import Tensor
from torch.nn import functional

from sketchseek.losses.arithmetic import at_least_float32, batch_mean


def jigsaw_loss(own: Tensor, positive: Tensor, negative: Tensor, order: Tensor) -> Tensor:
    """L_cjs = mean of CE(F_js(r), y) + [ CE(F_js(r+), y) - CE(F_js(r-), y) ]_+, with the hinge per sample.

    r = [F_v(s), F_v(s')], r+ = [F_v(p+), F_v(s')], r- = [F_v(p-), F_v(s')]; s' is the sketch with shuffled tiles.

    ``own``, ``positive``, ``negative``: F_js(r), F_js(r+), F_js(r-) (``methods.jigsaw.JigsawSolver``), logits of shape
    (n, |Y|). ``order``: y, each sketch's row in the table of permutations, shape (n,). Returns a scalar; 0 for n = 0.
    """
    own_error, positive_error, negative_error = (
        _cross_entropies(logits, order) for logits in (own, positive, negative)
    )
    return batch_mean(own_error + functional.relu(positive_error - negative_error))


def _cross_entropies(logits: Tensor, order: Tensor) -> Tensor:
    return functional.cross_entropy(at_least_float32(logits), order, reduction="none")
