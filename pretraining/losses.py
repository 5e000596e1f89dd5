"""The losses of the image tower, one function each; all are means over the rows they apply to."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax, softmax

SMOOTHING = 0.05


class Batch(NamedTuple):
    """Facts about the n rows of a batch.

    ``photo`` (n,): whether it is a photo. ``label`` (n,): class or -1. ``block`` (n,): block of rows of one class, or
    -1. ``shown`` (n,): the index in the batch of the photo a row shows (a photo shows itself), or -1.
    ``teacher`` (n, 1000): ImageNet logits of the photo shown; ``place`` (n, size): its unit embedding at the start.
    """

    photo: Tensor
    label: Tensor
    block: Tensor
    shown: Tensor
    teacher: Tensor
    place: Tensor


def named(logits: Tensor, batch: Batch) -> Tensor:
    """Classify drawings, and with less weight photos, so that photos of new classes do not end up in known ones."""
    rows = batch.label >= 0
    share = torch.where(batch.photo, 0.3, 1.0)[rows]
    return (cross_entropy(logits[rows], batch.label[rows], label_smoothing=SMOOTHING, reduction="none") * share).mean()


def distilled(logits: Tensor, batch: Batch) -> Tensor:
    """Photos, and with half the weight their drawings, predict what ImageNet's classifier predicts for the photo."""
    taught = batch.shown >= 0
    share = torch.where(batch.photo, 1.0, 0.5)[taught]
    target, guess = softmax(batch.teacher[taught], dim=1), log_softmax(logits[taught], dim=1)
    return ((target * (target.clamp_min(1e-8).log() - guess)).sum(1) * share).mean()


def kept(embeddings: Tensor, batch: Batch) -> Tensor:
    """Photos stay near their place in the ImageNet network, and their drawings move there."""
    taught = batch.shown >= 0
    share = torch.where(batch.photo, 1.0, 0.25)[taught]
    return ((1 - (embeddings[taught] * batch.place[taught]).sum(1)) * share).mean()


def paired(embeddings: Tensor, batch: Batch, scale: Tensor, *, within: bool) -> Tensor:
    """InfoNCE in both directions between drawings and the photos they show.

    ``within``: among the photos of the same block; else among those of other classes, so as not to work against
    ``crossed``.
    """
    drawings = ((batch.shown >= 0) & ~batch.photo).nonzero()[:, 0]
    photos = batch.photo.nonzero()[:, 0]
    own = batch.shown[drawings][:, None] == photos[None]
    likeness = scale.exp() * embeddings[drawings] @ embeddings[photos].T
    block, label = batch.block, batch.label
    if within:
        out = block[drawings][:, None] != block[photos][None]
    else:
        out = (label[drawings][:, None] == label[photos][None]) & (label >= 0)[photos] & ~own
    likeness = likeness.masked_fill(out, -1e4)
    there = cross_entropy(likeness, own.float().argmax(1))
    # From photo to drawing: drawings of other photos are negatives, other drawings of the same photo are not.
    blocked = own[:, None, :] & own[None, :, :]
    same = blocked.any(2) & ~torch.eye(len(drawings), dtype=torch.bool)
    back = likeness.T[own.float().argmax(1)].masked_fill(same, -1e4)
    return (there + cross_entropy(back, torch.arange(len(drawings)))) / 2


def crossed(embeddings: Tensor, batch: Batch, scale: Tensor) -> Tensor:
    """Drawings are equally near to all photos of their class."""
    photos = batch.photo.nonzero()[:, 0]
    alike = (batch.label[:, None] == batch.label[photos][None]) & (batch.label >= 0)[:, None] & ~batch.photo[:, None]
    some = alike.any(1)
    chance = log_softmax(scale.exp() * embeddings[some] @ embeddings[photos].T, dim=1)
    return (-(chance * alike[some]).sum(1) / alike[some].sum(1)).mean()
