"""A run folder as a model: what training wrote, read back to encode pictures and words."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from sketchseek.clip.encoder import pick_device
from sketchseek.methods.method import Encoder, Method, Modality
from sketchseek.methods.registry import method_class
from sketchseek.model import Model
from sketchseek.pictures import Sketch, prepare_batch
from sketchseek.pictures.preprocessing import Preprocessing
from sketchseek.training import files
from sketchseek.training.backbones import open_backbone, weights_identity
from sketchseek.training.checkpoint import AdapterFacts, load_adapter
from sketchseek.training.errors import TrainingError
from sketchseek.training.recipe import Recipe, read_recipe

BATCH = 32  # pictures encoded at a time: bounds memory, changes no result beyond the last bit


class RunModel:
    """A trained method behind the face that searching and evaluating know; ``method`` is the thing itself."""

    def __init__(self, name: str, identity: str, method: Method, encode: Encoder) -> None:
        self.name = name
        self.identity = identity
        self.method = method
        self._encode = encode
        self._device = next(method.parameters()).device
        self.size = method.size

    @property
    def photo_side(self) -> int:
        return self.method.backbone.photos.size

    def encode_photos(self, photos: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return self._encode_pictures(photos, self.method.backbone.photos, "photo")

    def encode_sketches(self, sketches: Sequence[Sketch]) -> NDArray[np.float32]:
        return self._encode_pictures(sketches, self.method.backbone.sketches, "sketch")

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        with torch.inference_mode():
            parts = [self.method.encode_texts(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
            return self._unit_rows(parts)

    def _encode_pictures(
        self, pictures: Sequence[NDArray[np.uint8] | Sketch], record: Preprocessing, modality: Modality
    ) -> NDArray[np.float32]:
        with torch.inference_mode():
            parts = [
                self._encode(self._pixels(pictures[start : start + BATCH], record), modality)
                for start in range(0, len(pictures), BATCH)
            ]
            return self._unit_rows(parts)

    def _pixels(self, pictures: Sequence[NDArray[np.uint8] | Sketch], record: Preprocessing) -> torch.Tensor:
        return torch.from_numpy(prepare_batch(pictures, record)).to(self._device)

    def _unit_rows(self, parts: list[torch.Tensor]) -> NDArray[np.float32]:
        if not parts:
            return np.zeros((0, self.size), np.float32)
        return normalize(torch.cat(parts).float(), dim=1).cpu().numpy()


class CategoryRunModel(RunModel):
    """A run of a method that looks at a category before it encodes pictures of it."""

    def for_category(self, name: str, sketches: Sequence[Sketch], photos: Sequence[NDArray[np.uint8]]) -> Model:
        """The model for one category: ``name`` in words, support pictures as ``encode_*`` takes them."""
        backbone = self.method.backbone
        shown = self._pixels(sketches, backbone.sketches), self._pixels(photos, backbone.photos)
        with torch.inference_mode():
            encode = self.method.for_category(name, *shown)
        digest = hashlib.sha256(f"{self.identity}\n{name}\n".encode())
        for pixels in shown:
            digest.update(f"{tuple(pixels.shape)}\n".encode() + pixels.cpu().numpy().tobytes())
        return RunModel(f"{self.name} ({name})", digest.hexdigest(), self.method, encode)


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
    method = method.to(pick_device(device)).eval().requires_grad_(False)
    kind = RunModel if method.support() is None else CategoryRunModel
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
