"""A run folder as a model: what training wrote, read back to encode pictures and words."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch

from sketchseek.clip.devices import choose_device
from sketchseek.methods.method import Method
from sketchseek.methods.model import AdaptableModel, MethodModel
from sketchseek.methods.registry import method_class
from sketchseek.model import Model
from sketchseek.training import files
from sketchseek.training.backbones import open_backbone, weights_identity
from sketchseek.training.checkpoint import AdapterFacts, load_adapter
from sketchseek.training.errors import TrainingError
from sketchseek.training.recipe import Recipe, read_recipe


def load_run(folder: Path, device: str | None = None, *, trust_pickle: bool = False) -> Model:
    """The model in a run folder: the best state so far, even while the training goes on."""
    recipe = read_recipe(folder / files.RECIPE)
    tensors, facts = load_adapter(folder / files.ADAPTER)
    backbone = open_backbone(recipe, trust_pickle=trust_pickle)
    if weights_identity(backbone) != facts.backbone:
        raise TrainingError(
            f"{folder} was trained on other weights than {recipe.backbone} has now: take those, or train again"
        )
    method = method_class(recipe.method)(backbone, facts.classes, recipe.setting, recipe.options)
    try:
        method.load_adapter(tensors)
    except (KeyError, ValueError) as error:
        raise TrainingError(
            f"{folder / files.ADAPTER} does not fit {recipe.method} as its recipe.toml has it ({error}): take both "
            "from one training"
        ) from error
    method = method.to(choose_device(device)).eval().requires_grad_(False)
    kind = MethodModel if method.support() is None else AdaptableModel
    return kind(folder.resolve().name, _identity(recipe, tensors, facts, method), method, method.encode)


def _identity(recipe: Recipe, tensors: dict[str, torch.Tensor], facts: AdapterFacts, method: Method) -> str:
    """A hash over all that decides a vector; how long the training took, or on what machine, does not."""
    decides = {
        "backbone": facts.backbone,
        "method": recipe.method,
        "setting": recipe.setting,
        "options": asdict(recipe.options),
        "classes": facts.classes,
        "photos": method.backbone.photos.fingerprint,
        "sketches": method.backbone.sketches.fingerprint,
    }
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
