"""What a method adds to a tower for one forward pass (prompts, LayerNorms, branches), without changing the tower."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from sketchseek.clip.layers import Branch

if TYPE_CHECKING:
    from sketchseek.clip.towers import Tower

__all__ = ["Adaptation", "Norms", "Place", "Prompted"]

Place = Literal["after_first", "end"]


class Norms(nn.Module):
    """A second set of a tower's LayerNorms: starts as a copy and is trained separately.

    A method keeps one set per modality and passes it as ``Adaptation.norms``.
    """

    def __init__(self, tower: "Tower") -> None:
        super().__init__()
        self.pre = deepcopy(tower.pre_norm)
        self.first = nn.ModuleList(deepcopy(layer.layer_norm1) for layer in tower.stack)
        self.second = nn.ModuleList(deepcopy(layer.layer_norm2) for layer in tower.stack)
        self.post = deepcopy(tower.post_norm)
        self.requires_grad_(True)


@dataclass(frozen=True)
class Adaptation:
    """How one forward pass differs from plain CLIP; the default does not differ.

    ``prompts``: layer -> tokens, (n, width) or (batch, n, width), that become the prompts at the input of that layer.
    They replace the earlier prompts; a layer without an entry keeps the output of the previous layer, and an entry with
    n = 0 removes the prompts. Prompts get no position embedding.
    ``place``: right after the first token (CLS, SOS) or, where a tower has none, before all others; or at the end
    (images only: EOS would not see what follows it).
    ``before_pre_norm``: whether the prompts of layer 0 are added before or after the image tower's ``pre_norm``.
    ``norms``: LayerNorms to use instead of the tower's own.
    ``branches``: layer -> a branch that runs beside it.
    """

    prompts: Mapping[int, Tensor] = field(default_factory=dict)
    place: Place = "after_first"
    before_pre_norm: bool = True
    norms: Norms | None = None
    branches: Mapping[int, Branch] = field(default_factory=dict)


@dataclass(frozen=True)
class Prompted:
    """A token sequence (batch, n, width) and how many of its tokens are prompts.

    ``first``: how many tokens stand before prompts ``after_first``: 1, or 0 in a tower without CLS or SOS.
    """

    tokens: Tensor
    count: int
    place: Place
    first: int

    def with_prompts(self, prompts: Tensor) -> "Prompted":
        """The same tokens with their prompts replaced by these, (m, width) or (batch, m, width)."""
        batch, _, width = self.tokens.shape
        if prompts.ndim not in (2, 3) or prompts.shape[-1] != width or (prompts.ndim == 3 and len(prompts) != batch):
            raise ValueError(
                f"prompts of shape {tuple(prompts.shape)} do not fit: (n, {width}) or ({batch}, n, {width}) is required"
            )
        prompts = prompts.expand(batch, -1, -1).to(self.tokens.dtype)
        plain = self.plain
        parts = [plain, prompts]
        if self.place == "after_first":
            parts = [plain[:, : self.first], prompts, plain[:, self.first :]]
        return replace(self, tokens=torch.cat(parts, dim=1), count=prompts.shape[1])

    @property
    def plain(self) -> Tensor:
        """The tokens without the prompts."""
        if self.count == 0:
            return self.tokens
        if self.place == "end":
            return self.tokens[:, : -self.count]
        return torch.cat((self.tokens[:, : self.first], self.tokens[:, self.first + self.count :]), dim=1)
