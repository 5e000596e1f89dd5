"""The frozen backbone of a training: loaded by name, identified by its weights, normalised as the recipe says."""

import hashlib
from dataclasses import replace

from torch import nn

from sketchseek.clip.backbone import Backbone
from sketchseek.clip.weights import load_backbone
from sketchseek.pictures.preprocessing import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from sketchseek.training.recipe import Recipe

STATISTICS = {"clip": (CLIP_MEAN, CLIP_STD), "imagenet": (IMAGENET_MEAN, IMAGENET_STD)}


def open_backbone(recipe: Recipe, *, trust_pickle: bool = False) -> Backbone:
    """The recipe's backbone on the CPU, with the recipe's checkpointing and normalisation."""
    backbone = load_backbone(recipe.backbone, trust_pickle=trust_pickle)
    for tower in (backbone.image, backbone.text):
        tower.checkpointing = recipe.checkpointing
    backbone.photos, backbone.sketches = normalised(backbone.photos, recipe), normalised(backbone.sketches, recipe)
    return backbone


def normalised(record: Preprocessing, recipe: Recipe) -> Preprocessing:
    """The record with the recipe's mean and deviation; ``backbone`` keeps those of the backbone."""
    if recipe.normalisation == "backbone":
        return record
    mean, std = STATISTICS[recipe.normalisation]
    return replace(record, mean=mean, std=std)


def weights_identity(module: nn.Module) -> str:
    """A hash over every weight, independent of its file: an adapter only fits the weights it was trained on.

    The head of lines is not one of these: no vector depends on it.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if name.startswith("lines."):
            continue
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()
