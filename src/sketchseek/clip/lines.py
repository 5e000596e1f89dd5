"""Where a person would draw lines over a photo: a small head on the convolutional stem of the small backbone."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu, relu6

from sketchseek.clip.lite import Block, LiteStem
from sketchseek.outlines import SIDE

__all__ = ["Lines", "build_lines"]


class Lines(nn.Module):
    """Maps of several blocks of a stem -> how likely a line is in each of SIDE x SIDE cells of the photo.

    Edges of brightness follow texture and shade; people draw the outlines of things, which the stem's maps tell apart.
    ``blocks``: those blocks; ``thin``, ``wide``: channels kept of each map, and of all together; ``side``: px of the
    pictures that the stem reads.
    """

    def __init__(self, stem: LiteStem, *, blocks: tuple[int, ...], thin: int, wide: int, side: int) -> None:
        super().__init__()
        self.blocks = blocks
        self.shapes: list[tuple[int, int]] = []  # channels and side of each map
        size = side // 2
        for number, block in enumerate(stem.blocks):
            assert isinstance(block, Block)
            size //= block.depthwise.conv.stride[0]
            if number in blocks:
                self.shapes.append((block.project.conv.out_channels, min(size, SIDE)))
        if len(self.shapes) != len(blocks) or side % (4 * SIDE):
            raise ValueError(f"lines look at blocks {blocks} of pictures of {side} px, which this stem does not have")
        self.thin = nn.ModuleList(nn.Conv2d(channels, thin, 1) for channels, _ in self.shapes)
        self.look = nn.Conv2d(thin * len(blocks), wide, 3, padding=1)
        self.last = nn.Conv2d(wide, 1, 3, padding=1)

    def maps(self, stem: LiteStem, pixels: Tensor) -> Tensor:
        """Pixels (batch, 3, side, side) -> the maps of the blocks, one after another, (batch, numbers)."""
        found = []
        maps: Tensor = relu6(stem.first(pixels))
        for number, block in enumerate(stem.blocks[: max(self.blocks) + 1]):
            maps = block(maps)
            if number in self.blocks:
                found.append(avg_pool2d(maps, maps.shape[-1] // SIDE) if maps.shape[-1] > SIDE else maps)
        return torch.cat([one.flatten(1) for one in found], dim=1)

    def logits(self, maps: Tensor) -> Tensor:
        """Output of ``maps`` -> the logit of a line in each cell, (batch, SIDE, SIDE)."""
        found = []
        parts = torch.split(maps, [channels * size * size for channels, size in self.shapes], dim=1)
        for part, thin, (channels, size) in zip(parts, self.thin, self.shapes, strict=True):
            small = thin(part.view(-1, channels, size, size))
            found.append(interpolate(small, size=(SIDE, SIDE), mode="bilinear", align_corners=False))
        out: Tensor = self.last(relu(self.look(torch.cat(found, dim=1))))
        return out[:, 0]

    def forward(self, maps: Tensor) -> Tensor:
        """Output of ``maps`` -> (batch, SIDE, SIDE), 0 to 1."""
        return self.logits(maps).sigmoid()


def build_lines(config: Mapping[str, Any], stem: LiteStem) -> Lines | None:
    """The head with new weights and the shapes of a lite backbone's ``config.json``; None if it has none."""
    written = config.get("lines")
    if written is None:
        return None
    blocks = tuple(int(number) for number in written["blocks"])
    return Lines(
        stem, blocks=blocks, thin=int(written["thin"]), wide=int(written["wide"]), side=config["image"]["side"]
    )
