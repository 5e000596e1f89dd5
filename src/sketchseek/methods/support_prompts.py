"""DP-CLIP's visual prompting module: a few pictures of a category -> prompts for every layer."""

import math

import torch
from torch import Tensor, nn

from sketchseek.clip.layers import new_layer, run_layer
from sketchseek.clip.towers import ImageTower


class BasePrompts(nn.Module):
    """l_m -> shared linear layer -> dropout: ``count`` prompts for each layer, independent of the category."""

    def __init__(self, image: ImageTower, count: int, dropout: float) -> None:
        super().__init__()
        patch = image.side // image.grid
        bound = math.sqrt(6 / (3 * patch * patch + image.width))
        self.tokens = nn.Parameter(torch.empty(image.depth, count, image.width).uniform_(-bound, bound))
        self.linear = nn.Linear(image.width, image.width)
        nn.init.kaiming_normal_(self.linear.weight, mode="fan_out")
        self.dropout = nn.Dropout(dropout)

    def forward(self) -> Tensor:
        """Prompts of all layers, shape (layers, count, width)."""
        prompts: Tensor = self.dropout(self.linear(self.tokens))
        return prompts


class SupportReader(nn.Module):
    """One transformer layer for the prompts of all layers, which attend to the support pictures and become p_m.

    It starts as in the released code: linear layers at std 0.002, but queries, keys and values as torch's attention
    draws them. Were these small too, all support pictures would give almost the same prompts.
    """

    def __init__(self, image: ImageTower) -> None:
        super().__init__()
        self.layer = new_layer(image.width, image.heads)
        attention = self.layer.self_attn
        inputs = (attention.q_proj, attention.k_proj, attention.v_proj)
        for linear in (attention.out_proj, self.layer.mlp.fc1, self.layer.mlp.fc2):
            nn.init.trunc_normal_(linear.weight, std=0.002)
        bound = math.sqrt(6 / (image.width + 3 * image.width))  # Xavier, of all three as one matrix
        for linear in inputs:
            nn.init.uniform_(linear.weight, -bound, bound)
        for linear in (*inputs, attention.out_proj):
            nn.init.zeros_(linear.bias)

    def forward(self, prompts: Tensor, support: Tensor) -> Tensor:
        """p_m, shape (layers, count, width).

        ``prompts``: from ``BasePrompts``, the same shape; ``support``: tokens of m pictures before ``pre_norm``, shape
        (m, n, width), which are put before the prompts.
        """
        layers, count, width = prompts.shape
        seen = support.reshape(1, -1, width).expand(layers, -1, -1)
        return run_layer(self.layer, torch.cat((seen, prompts), dim=1))[:, -count:]
