"""Learned tokens added to those of an image or text: shallow at the first layer, or deep at every layer."""

import torch
from torch import Tensor, nn


class Prompts(nn.Module):
    """``count`` tokens of ``width`` for each of the first ``layers`` layers, from N(0, std^2).

    One layer gives shallow prompts, which pass through all layers; as many as the tower has give deep prompts, replaced
    at the input of each layer.
    """

    def __init__(self, count: int, width: int, *, layers: int = 1, std: float = 1.0) -> None:
        super().__init__()
        self.tokens = nn.Parameter(std * torch.randn(layers, count, width))

    def by_layer(self) -> dict[int, Tensor]:
        """Layer -> tokens (count, width), for ``Adaptation.prompts``."""
        return dict(enumerate(self.tokens.unbind()))
