"""Shared by methods that train with triplets: encoding in few passes, and the losses of baselines and CLIP-AT."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sketchseek.losses.classification import classification_loss
from sketchseek.losses.triplet import triplet_loss
from sketchseek.methods.method import Batch, EncodeFunction, Modality


def encode_all(
    encode: EncodeFunction, sketches: Sequence[Tensor], photos: Sequence[Tensor], *, one_encoder: bool
) -> list[Tensor]:
    """Embeddings of several batches of pixels, in order: one forward pass per modality, or one for all.

    ``one_encoder``: the encoder treats sketches and photos alike.
    """
    if one_encoder:
        return _in_one_pass(encode, [*sketches, *photos], "photo")
    return _in_one_pass(encode, sketches, "sketch") + _in_one_pass(encode, photos, "photo")


def _in_one_pass(encode: EncodeFunction, batches: Sequence[Tensor], modality: Modality) -> list[Tensor]:
    return list(torch.split(encode(torch.cat(list(batches)), modality), [len(batch) for batch in batches]))


def triplet_and_class_losses(
    sketches: Tensor,
    positives: Tensor,
    negatives: Tensor,
    batch: Batch,
    class_texts: Tensor | None,
    *,
    margin: float,
    class_weight: float,
    tau: float,
) -> dict[str, Tensor]:
    """L_tri and weight * (L_cls^s + L_cls^p) from embeddings (n, size); ``class_texts`` None: L_tri alone."""
    losses = {"triplet": triplet_loss(sketches, positives, negatives, margin)}
    if class_texts is not None:
        of_sketches = classification_loss(sketches, class_texts, batch.labels, tau)
        of_photos = classification_loss(positives, class_texts, batch.labels, tau)
        losses["class"] = class_weight * (of_sketches + of_photos)
    return losses
