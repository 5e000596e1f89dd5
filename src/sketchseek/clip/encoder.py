"""A backbone by name, and as a model to search and evaluate with: zero-shot CLIP."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from sketchseek.batches import batches
from sketchseek.clip.backbone import Backbone
from sketchseek.clip.files import BackboneFiles
from sketchseek.clip.find import find_backbone
from sketchseek.clip.weights import read_backbone
from sketchseek.errors import SketchseekError
from sketchseek.pictures import Preprocessing, Sketch, prepare_batch

__all__ = ["BackboneModel", "load_backbone", "load_backbone_model", "pick_device"]

BATCH = 32  # pictures or texts at once: enough to keep a device busy, little enough for a small one
One = TypeVar("One")


class BackboneModel:
    """Implements ``sketchseek.model.Model`` with a backbone as it is."""

    def __init__(self, backbone: Backbone, *, name: str, identity: str) -> None:
        self.backbone = backbone
        self.name = name
        self.identity = identity
        self.size = backbone.size
        self.photo_side = backbone.photos.size

    def encode_photos(self, photos: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return self._encode(photos, lambda batch: self._look(batch, self.backbone.photos))

    def encode_sketches(self, sketches: Sequence[Sketch]) -> NDArray[np.float32]:
        return self._encode(sketches, lambda batch: self._look(batch, self.backbone.sketches))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._encode(texts, self._read)

    def _look(self, pictures: Sequence[NDArray[np.uint8] | Sketch], how: Preprocessing) -> Tensor:
        pixels = torch.from_numpy(prepare_batch(pictures, how))
        embeddings: Tensor = self.backbone.image(pixels.to(self.backbone.device))
        return embeddings

    def _read(self, texts: Sequence[str]) -> Tensor:
        tokens = self.backbone.tokens(texts)
        embeddings: Tensor = self.backbone.text(tokens.ids, tokens.ends)
        return embeddings

    def _encode(self, items: Sequence[One], encode: Callable[[Sequence[One]], Tensor]) -> NDArray[np.float32]:
        rows = np.empty((len(items), self.size), dtype=np.float32)
        with torch.inference_mode():
            for start, batch in batches(items, BATCH):
                rows[start : start + len(batch)] = normalize(encode(batch).float(), dim=1).cpu().numpy()
        return rows


def load_backbone(name_or_path: str | Path, *, trust_pickle: bool = False) -> Backbone:
    """The backbone of a name or a path, frozen, on the CPU, for a method to adapt."""
    return read_backbone(find_backbone(name_or_path, trust_pickle=trust_pickle))


def load_backbone_model(files: BackboneFiles, *, device: str | None = None) -> BackboneModel:
    """The zero-shot model these files make, on a device (the GPU if there is one, unless told)."""
    backbone = read_backbone(files).to(pick_device(device))
    parts = (files.identity, backbone.photos.fingerprint, backbone.sketches.fingerprint)
    return BackboneModel(backbone, name=files.name, identity=sha256(" ".join(parts).encode()).hexdigest())


def pick_device(device: str | None) -> torch.device:
    """The device that is named, tried out; the first GPU, or else the CPU, where none is named."""
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(1, device=device).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise SketchseekError(f"--device {device}: this device cannot be used ({reason}); try cpu") from None
