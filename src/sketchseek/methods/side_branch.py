"""DP-CLIP's side branches: low-rank branches beside a frozen layer, whose channels are scaled by a text."""

import math

import torch
from torch import Tensor, nn

from sketchseek.clip.layers import Branch


class SideBranch(nn.Module):
    """Branches beside the attention and the MLP of one layer; they have no effect at first, because B is 0.

    attention: h = x1 A^T (width -> r), h <- h * (1 + a), factor * h B^T (r -> 3 width) is added to queries, keys and
    values; x1 is ln_1(x). MLP: h = x2 A2^T, h <- h * (1 + b), (1 / r) * h B2^T is added to the MLP's output; x2 is x
    after attention, before ln_2.

    ``rank``: r. ``attention_factor``: 1 / r by default.
    """

    def __init__(self, width: int, rank: int, attention_factor: float | None = None) -> None:
        super().__init__()
        self.attention_in = nn.Parameter(torch.empty(rank, width))  # A
        self.attention_out = nn.Parameter(torch.zeros(3 * width, rank))  # B
        self.mlp_in = nn.Parameter(torch.empty(rank, width))  # A2
        self.mlp_out = nn.Parameter(torch.zeros(width, rank))  # B2
        for matrix in (self.attention_in, self.mlp_in):
            nn.init.kaiming_uniform_(matrix, a=math.sqrt(5))
        self.attention_factor = 1 / rank if attention_factor is None else attention_factor
        self.mlp_factor = 1 / rank

    def scaled(self, attention_scale: Tensor | None = None, mlp_scale: Tensor | None = None) -> Branch:
        """The branch with scales a and b, shape (r,), or (n, 1, r) for n pictures; None stands for 0."""

        def qkv(tokens: Tensor) -> Tensor:
            hidden = _scale(nn.functional.linear(tokens, self.attention_in), attention_scale)
            return self.attention_factor * nn.functional.linear(hidden, self.attention_out)

        def mlp(tokens: Tensor) -> Tensor:
            hidden = _scale(nn.functional.linear(tokens, self.mlp_in), mlp_scale)
            return self.mlp_factor * nn.functional.linear(hidden, self.mlp_out)

        return Branch(qkv=qkv, mlp=mlp)


def _scale(hidden: Tensor, scale: Tensor | None) -> Tensor:
    return hidden if scale is None else hidden * (1 + scale)


class TextScales(nn.Module):
    """The scales of one layer from the category's text: t -> linear -> ReLU -> linear -> a and b, initially near 0."""

    def __init__(self, size: int, rank: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(size, size)
        self.last = nn.Linear(size, 2 * rank)
        for linear in (self.hidden, self.last):
            nn.init.normal_(linear.weight, std=0.01)
            nn.init.zeros_(linear.bias)

    def forward(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """t, shape (..., size) -> a and b, shape (..., r) each."""
        attention_scale, mlp_scale = self.last(nn.functional.relu(self.hidden(text))).chunk(2, dim=-1)
        return attention_scale, mlp_scale
