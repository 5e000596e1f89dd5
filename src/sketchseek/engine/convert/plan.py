"""What a published model is: its family and the shapes of its two towers, read from tensors and config."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Family = Literal["clip", "siglip"]


@dataclass(frozen=True, kw_only=True)
class Tower:
    """A transformer: ``width`` of a token, ``heads``, ``depth`` in layers, width of the MLP, epsilon of LayerNorms."""

    width: int
    heads: int
    depth: int
    mlp: int
    epsilon: float
    activation: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A model. ``side``: of pictures, in px; ``patch``: of a patch, in px; ``size``: of a vector.

    ``vocabulary``, ``context``: of texts, in tokens. ``padding``: the token that fills texts up to ``context``; None
    if the tower does not see what follows a text. ``flat``: patches are embedded by a matrix, not by a convolution.
    """

    family: Family
    image: Tower
    text: Tower
    side: int
    patch: int
    size: int
    vocabulary: int
    context: int
    padding: int | None
    flat: bool = False

    @property
    def grid(self) -> int:
        """Patches per side."""
        return self.side // self.patch


# Name in a config.json -> what our graphs compute.
ACTIVATIONS: Mapping[str, str] = {
    "quick_gelu": "quick_gelu",
    "gelu": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
}
