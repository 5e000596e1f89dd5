"""SpLIP's triplet loss, whose margin grows with the similarity of the two class names."""

import torch
from torch import Tensor

from sketchseek.losses.distances import cosine_matrix, squared_euclidean_distance
from sketchseek.losses.triplet import triplet_loss


@torch.no_grad()
def margin_table(class_texts: Tensor) -> Tensor:
    """mu(c+, c-) = cos(F_t(c+), F_t(c-)) for all pairs of classes; mu(c, c) = 1.

    ``class_texts``: F_t(c), frozen text features of "a photo of a {c}", shape (classes, size).
    Returns shape (classes, classes), without gradients.
    """
    return cosine_matrix(class_texts, class_texts).fill_diagonal_(1)


def adaptive_margin_triplet_loss(
    sketch: Tensor,
    positive: Tensor,
    negative: Tensor,
    positive_class: Tensor,
    negative_class: Tensor,
    table: Tensor,
) -> Tensor:
    """L_triplet = mean of [ ||s - p+||^2 - ||s - p-||^2 + mu(c+, c-) ]_+ on features of length 1 (SpLIP).

    Similar classes get a larger margin. Fine-grained triplets have c+ = c-, so mu = 1.

    ``sketch``, ``positive``, ``negative``: s, p+, p-, shape (n, size). ``positive_class``, ``negative_class``: c+, c-,
    rows of ``table`` (see ``margin_table``), shape (n,). Returns a scalar; 0 for n = 0.
    """
    margins = table.detach()[positive_class, negative_class]
    return triplet_loss(sketch, positive, negative, margins, squared_euclidean_distance)
