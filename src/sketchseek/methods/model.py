"""A method as a model that search and evaluation encode with."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from sketchseek.clip.devices import choose_device
from sketchseek.clip.weights import read_backbone
from sketchseek.hub.files import BackboneFiles
from sketchseek.methods.baselines import BaselineOptions, ZeroShot
from sketchseek.methods.method import EncodeFunction, Method, Modality
from sketchseek.parallel import batches
from sketchseek.pictures import Preprocessing, Sketch, prepare_batch

BATCH = 32  # pictures or texts in one pass: limits memory


class MethodModel:
    """``sketchseek.model.Model`` for a ``method``; ``encode`` is the method's own, or the one for a category."""

    def __init__(self, name: str, identity: str, method: Method, encode: EncodeFunction) -> None:
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
            return self._unit_rows([self.method.encode_texts(batch) for _, batch in batches(texts, BATCH)])

    def _encode_pictures(
        self, pictures: Sequence[NDArray[np.uint8] | Sketch], record: Preprocessing, modality: Modality
    ) -> NDArray[np.float32]:
        with torch.inference_mode():
            return self._unit_rows(
                [self._encode(self._pixels(batch, record), modality) for _, batch in batches(pictures, BATCH)]
            )

    def _pixels(self, pictures: Sequence[NDArray[np.uint8] | Sketch], record: Preprocessing) -> torch.Tensor:
        return torch.from_numpy(prepare_batch(pictures, record)).to(self._device)

    def _unit_rows(self, parts: list[torch.Tensor]) -> NDArray[np.float32]:
        if not parts:
            return np.zeros((0, self.size), np.float32)
        return normalize(torch.cat(parts).float(), dim=1).cpu().numpy()


class AdaptableModel(MethodModel):
    """``sketchseek.model.CategoryModel`` for a method that requires support pictures of a category."""

    @property
    def support(self) -> tuple[int, int]:
        """How many sketches and photos ``for_category`` is meant for: as in training."""
        support = self.method.support()
        assert support is not None, "only methods that need a category become this model"
        return support

    def for_category(self, name: str, sketches: Sequence[Sketch], photos: Sequence[NDArray[np.uint8]]) -> MethodModel:
        """The model for one category; support pictures as for ``encode_sketches`` and ``encode_photos``."""
        backbone = self.method.backbone
        support = self._pixels(sketches, backbone.sketches), self._pixels(photos, backbone.photos)
        with torch.inference_mode():
            encode = self.method.for_category(name, *support)
        digest = hashlib.sha256(f"{self.identity}\n{name}\n".encode())
        for pixels in support:
            digest.update(f"{tuple(pixels.shape)}\n".encode() + pixels.cpu().numpy().tobytes())
        return MethodModel(f"{self.name} ({name})", digest.hexdigest(), self.method, encode)


def load_zero_shot(files: BackboneFiles, *, device: str | None = None) -> MethodModel:
    """A backbone without changes, on ``device``; by default on a GPU if there is one."""
    backbone = read_backbone(files)
    method = ZeroShot(backbone, (), "category", BaselineOptions()).to(choose_device(device)).eval()
    parts = (files.identity, backbone.photos.fingerprint, backbone.sketches.fingerprint)
    identity = hashlib.sha256(" ".join(parts).encode()).hexdigest()
    return MethodModel(files.name, identity, method, method.encode)
