"""Learned tokens that stand among the image's or the text's own: shallow in one layer, deep in every layer."""

import torch
from torch import Tensor, nn


class Prompts(nn.Module):
    """``count`` tokens of ``width`` for each of the first ``layers`` layers, from N(0, std^2).

    One layer makes shallow prompts, which go on through the layers; as many as the tower has make deep ones, which are
    replaced anew at the input of each.
    """

    def __init__(self, count: int, width: int, *, layers: int = 1, std: float = 1.0) -> None:
        super().__init__()
        self.tokens = nn.Parameter(std * torch.randn(layers, count, width))

    def by_layer(self) -> dict[int, Tensor]:
        """Layer -> tokens (count, width), as ``Adaptation.prompts`` takes them."""
        return dict(enumerate(self.tokens.unbind()))
