"""CLIP-AT's L_delta: the relative distances of triplets have the same distribution in all categories (fine-grained)."""

import torch
from torch import Tensor
from torch.nn import functional

from sketchseek.losses.distances import cosine_distance


def relative_distances(sketch: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """delta(s, p+, p-) = d(s, p+) - d(s, p-), d = 1 - cos. Three tensors (n, size) -> (n,)."""
    return cosine_distance(sketch, positive) - cosine_distance(sketch, negative)


def by_category(deltas: Tensor, categories: Tensor) -> Tensor:
    """Rows of deltas, one per category, in batch order. (n,) and (n,) -> (N_c, m).

    m is the number of triplets of the smallest category; of the others only the first m count, because a divergence
    compares position k of one category with position k of another.
    """
    counts: Tensor = torch.unique(categories, return_counts=True)[1]
    shortest = int(counts.min())
    starts = counts.cumsum(0) - counts
    picked = starts.unsqueeze(1) + torch.arange(shortest, device=categories.device)
    return deltas[categories.argsort(stable=True)[picked]]


def relative_distance_loss(deltas: Tensor, categories: Tensor, ordered: bool = True, tau: float = 1.0) -> Tensor:
    """L_delta = 1 / (N_c (N_c - 1)) * sum over i != j of KL(D_i || D_j), D_c = softmax over category c's deltas / tau.

    ``deltas``: see ``relative_distances``, shape (n,). ``categories``: one integer per triplet, shape (n,); best with
    equally many triplets per category (PK batches). ``ordered``: sort the deltas of a category first, so that the loss
    does not depend on their order in the batch. ``tau``: 1 in the paper. Deltas differ by about 0.1, so that all D_c
    are then almost uniform, and the gradient is tiny.
    Returns a scalar; 0 for fewer than two categories, or if one of them has a single triplet (its D_c is constant).
    """
    if len(torch.unique(categories)) < 2:
        return deltas.sum() * 0
    rows = by_category(deltas, categories)
    if ordered:
        rows = rows.sort(dim=1).values
    log_d = functional.log_softmax(rows / tau, dim=1)
    # Pair by pair: one matrix product would subtract large sums and lose small divergences.
    divergences = (log_d.exp().unsqueeze(1) * (log_d.unsqueeze(1) - log_d.unsqueeze(0))).sum(dim=2)
    number = len(rows)
    return divergences.sum() / (number * (number - 1))
