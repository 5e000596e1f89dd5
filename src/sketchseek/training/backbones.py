"""The frozen half of a training: loaded by name, told by its weights, its pictures normalised as the recipe says."""

import hashlib
from dataclasses import replace

from torch import nn

from sketchseek.clip.backbone import Backbone
from sketchseek.clip.weights import load_backbone
from sketchseek.pictures.preprocessing import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from sketchseek.training.recipe import Recipe

STATISTICS = {"clip": (CLIP_MEAN, CLIP_STD), "imagenet": (IMAGENET_MEAN, IMAGENET_STD)}


def open_backbone(recipe: Recipe, *, trust_pickle: bool = False) -> Backbone:
    """The backbone the recipe names, on the CPU, with the recipe's way to compute and to prepare pictures."""
    backbone = load_backbone(recipe.backbone, trust_pickle=trust_pickle)
    for tower in (backbone.image, backbone.text):
        tower.checkpointing = recipe.checkpointing
    backbone.photos, backbone.sketches = normalised(backbone.photos, recipe), normalised(backbone.sketches, recipe)
    return backbone


def normalised(record: Preprocessing, recipe: Recipe) -> Preprocessing:
    """The record with the mean and deviation the recipe wants; ``backbone`` keeps those the backbone came with."""
    if recipe.normalisation == "backbone":
        return record
    mean, std = STATISTICS[recipe.normalisation]
    return replace(record, mean=mean, std=std)


def weights_identity(module: nn.Module) -> str:
    """A hash over every weight, whatever file it came from: an adapter only fits the weights it was trained on."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()
