"""The frozen backbone of a training: loaded by name, identified by its weights, with pictures as the recipe says."""

import hashlib
from dataclasses import replace

import torch
from torch import nn

from sketchseek.clip.backbone import Backbone
from sketchseek.clip.devices import choose_device
from sketchseek.clip.weights import load_backbone
from sketchseek.pictures.preprocessing import (
    BLACK,
    CLIP_MEAN,
    CLIP_STD,
    IMAGENET_MEAN,
    IMAGENET_STD,
    WHITE,
    Preprocessing,
)
from sketchseek.training.errors import TrainingError
from sketchseek.training.recipe import Recipe

STATISTICS = {"clip": (CLIP_MEAN, CLIP_STD), "imagenet": (IMAGENET_MEAN, IMAGENET_STD)}


def open_backbone(recipe: Recipe, *, trust_pickle: bool = False) -> Backbone:
    """The recipe's backbone on the CPU, with the recipe's checkpointing and preparation of pictures."""
    if recipe.compile:
        _check_compiler(choose_device(recipe.device))
    backbone = load_backbone(recipe.backbone, trust_pickle=trust_pickle)
    for tower in (backbone.image, backbone.text):
        tower.checkpointing = recipe.checkpointing
        if recipe.compile:
            tower.compile_layers()
    backbone.photos = normalised(_fitted_photos(backbone.photos, recipe), recipe)
    backbone.sketches = normalised(_fitted_sketches(backbone.sketches, recipe), recipe)
    return backbone


def _check_compiler(device: torch.device) -> None:
    """Before a long start, not after it."""
    try:
        torch.compile(torch.sin)(torch.zeros(2, device=device))
    except Exception as error:  # of a compiler, of which there are several
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise TrainingError(
            f"compile=true does not work here ({reason}): install a C++ compiler, or use --set compile=false"
        ) from None


def _fitted_photos(record: Preprocessing, recipe: Recipe) -> Preprocessing:
    if recipe.photo_fit == "letter-box":
        return replace(record, fit="pad", fill=BLACK)
    return record if recipe.photo_fit == "backbone" else replace(record, fit=recipe.photo_fit)


def _fitted_sketches(record: Preprocessing, recipe: Recipe) -> Preprocessing:
    if recipe.sketch_fit == "letter-box":
        return replace(record, placement="as_drawn", fit="pad", fill=WHITE)
    return record if recipe.sketch_fit == "backbone" else replace(record, placement="ink")


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
