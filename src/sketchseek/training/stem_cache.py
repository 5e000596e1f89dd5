"""What a frozen stem makes of a picture never changes: it is computed once and kept.

On a processor a convolutional stem takes most of a training step; the layers behind it are short work.
"""

import hashlib
from collections import OrderedDict

import torch
from torch import Tensor, nn

from sketchseek.clip.backbone import Backbone
from sketchseek.training.backbones import weights_identity


class StemMemory:
    """Tokens by stem and picture, at most so many megabytes; what was not asked for longest goes first.

    Several trainings of one process may share one.
    """

    def __init__(self, megabytes: int) -> None:
        self._room = megabytes * 1_000_000
        self._used = 0
        self._tokens: OrderedDict[bytes, Tensor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tokens)

    def get(self, key: bytes) -> Tensor | None:
        """Tokens (1 + grid * grid, width), if they are here."""
        tokens = self._tokens.get(key)
        if tokens is not None:
            self._tokens.move_to_end(key)
        return tokens

    def put(self, key: bytes, tokens: Tensor) -> None:
        """Keep tokens of a picture that is not here yet."""
        self._tokens[key] = tokens
        self._used += tokens.nbytes
        while self._used > self._room:
            self._used -= self._tokens.popitem(last=False)[1].nbytes


class RememberingStem(nn.Module):
    """A stem that is not trained, in front of a memory; same promise as the stem: pixels -> tokens."""

    def __init__(self, stem: nn.Module, memory: StemMemory) -> None:
        super().__init__()
        self.stem = stem
        self._memory = memory
        self._identity = weights_identity(stem).encode()

    def forward(self, pixels: Tensor) -> Tensor:
        """Prepared pixels (n, 3, side, side) -> tokens (n, 1 + grid * grid, width), without gradients."""
        # Kept tokens must serve training, at full precision, whoever asks for them first.
        with torch.inference_mode(False), torch.no_grad(), torch.autocast(pixels.device.type, enabled=False):
            return torch.stack([self._tokens(picture) for picture in pixels])

    def _tokens(self, picture: Tensor) -> Tensor:
        content = picture.detach().cpu().contiguous().numpy().data
        key = hashlib.sha256(self._identity + content).digest()
        tokens = self._memory.get(key)
        if tokens is None:
            # By itself: its last bits must not depend on which pictures beside it are unknown.
            computed: Tensor = self.stem(picture.unsqueeze(0))[0]
            tokens = computed.clone()
            self._memory.put(key, tokens)
        return tokens


def remember(backbone: Backbone, memory: StemMemory) -> None:
    """Put the memory in front of the backbone's stem, unless the stem is trained."""
    stem = backbone.image.stem
    if not any(parameter.requires_grad for parameter in stem.parameters()):
        backbone.image.stem = RememberingStem(stem, memory)
