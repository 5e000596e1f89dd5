"""Cache the output of a frozen stem: it never changes for a picture, so it is computed once.

On a CPU a convolutional stem takes most of a training step; the layers behind it are cheap.
"""

import hashlib
from collections import OrderedDict

import torch
from torch import Tensor, nn

from sketchseek.clip.backbone import Backbone
from sketchseek.training.backbones import weights_identity


class StemCache:
    """Tokens by stem and picture, at most ``megabytes``; the least recently used are dropped first.

    Several trainings of one process may share one.
    """

    def __init__(self, megabytes: int) -> None:
        self._limit = megabytes * 1_000_000
        self._used = 0
        self._tokens: OrderedDict[bytes, Tensor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tokens)

    def get(self, key: bytes) -> Tensor | None:
        """Tokens (first + grid * grid, width), or None."""
        tokens = self._tokens.get(key)
        if tokens is not None:
            self._tokens.move_to_end(key)
        return tokens

    def put(self, key: bytes, tokens: Tensor) -> None:
        """Add tokens under a key that is not in the cache yet."""
        self._tokens[key] = tokens
        self._used += tokens.nbytes
        while self._used > self._limit:
            self._used -= self._tokens.popitem(last=False)[1].nbytes


class CachedStem(nn.Module):
    """A frozen stem behind a cache; like the stem: pixels -> tokens."""

    def __init__(self, stem: nn.Module, cache: StemCache) -> None:
        super().__init__()
        self.stem = stem
        self._cache = cache
        self._identity = weights_identity(stem).encode()

    def forward(self, pixels: Tensor) -> Tensor:
        """Prepared pixels (n, 3, side, side) -> tokens (n, first + grid * grid, width), without gradients."""
        # Cached tokens must serve training at full precision, even if they are first needed in inference.
        with torch.inference_mode(False), torch.no_grad(), torch.autocast(pixels.device.type, enabled=False):
            return torch.stack([self._tokens(picture) for picture in pixels])

    def _tokens(self, picture: Tensor) -> Tensor:
        content = picture.detach().cpu().contiguous().numpy().data
        key = hashlib.sha256(self._identity + content).digest()
        tokens = self._cache.get(key)
        if tokens is None:
            # One picture at a time: its last bits must not depend on the other pictures of the batch.
            computed: Tensor = self.stem(picture.unsqueeze(0))[0]
            tokens = computed.clone()
            self._cache.put(key, tokens)
        return tokens


def cache_stem(backbone: Backbone, cache: StemCache) -> None:
    """Put the cache in front of the backbone's stem, unless the stem is trained."""
    stem = backbone.image.stem
    if not any(parameter.requires_grad for parameter in stem.parameters()):
        backbone.image.stem = CachedStem(stem, cache)
