"""L_cls: a picture is nearest to the text of its own class."""

from torch import Tensor
from torch.nn import functional

from sketchseek.losses.arithmetic import batch_mean
from sketchseek.losses.distances import cosine_matrix


def class_logits(features: Tensor, class_texts: Tensor, tau: float) -> Tensor:
    """cos(f, f_t^j) / tau of each picture and class j.

    ``features``: f, shape (n, size). ``class_texts``: f_t, shape (classes, size), or (n, classes, size) if the texts
    depend on the picture (SpLIP's tokens T made per image). ``tau``: the temperature, 0.01 in CLIP.
    Returns shape (n, classes).
    """
    if class_texts.dim() == 3:
        return cosine_matrix(features.unsqueeze(1), class_texts).squeeze(1) / tau
    return cosine_matrix(features, class_texts) / tau


def classification_loss(features: Tensor, class_texts: Tensor, labels: Tensor, tau: float = 0.01) -> Tensor:
    """L_cls = mean of -log softmax_j( cos(f, f_t^j) / tau ) at the true class, over the seen classes.

    CLIP-AT: L_cls^s of sketches plus L_cls^p of photos, frozen texts. SpLIP: s, p+ and p-, each with its own label,
    texts of the prompted tower. Gradients reach the texts if they require them.

    ``features`` and ``class_texts`` as in ``class_logits``; ``labels``: the true classes, shape (n,).
    Returns a scalar; 0 for n = 0.
    """
    log_probabilities = functional.log_softmax(class_logits(features, class_texts, tau), dim=-1)
    return batch_mean(-log_probabilities.gather(1, labels.unsqueeze(1)))
