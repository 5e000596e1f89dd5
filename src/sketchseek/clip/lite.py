"""Small backbones of our own: a convolutional stem, a short transformer, a short text tower."""

import math
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad, relu, relu6

from sketchseek.clip.layers import new_layer
from sketchseek.clip.towers import ImageTower, TextTower

__all__ = ["MODEL_TYPE", "ImageNetStem", "LiteStem", "ShortStem", "build_lite"]

MODEL_TYPE = "sketchseek-lite"  # in config.json

# EfficientNet-Lite0: blocks in the stage, kernel, stride of the first block, expansion, channels out.
# The larger ones have more channels, and more blocks in all but the first and the last stage.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEMS = {  # times as many channels, and blocks
    "efficientnet-lite0": (1.0, 1.0),
    "efficientnet-lite1": (1.0, 1.1),
    "efficientnet-lite2": (1.1, 1.2),
}
FIRST = "efficientnet-lite0"  # of folders that do not name their stem
_FIRST, _HEAD = 32, 1280  # channels of the first and the last convolution, in all of them
_MIDDLE, _THIN = 5, 32  # the layout is read from the input of this stage, with fewer channels


def stages_of(stem: str) -> list[tuple[int, int, int, int, int]]:
    """The stages of a stem, as in ``_STAGES``."""
    wider, deeper = STEMS[stem]
    last = len(_STAGES) - 1
    return [
        (
            count if number in (0, last) else math.ceil(count * deeper),
            kernel,
            stride,
            expansion,
            _rounded(channels * wider),
        )
        for number, (count, kernel, stride, expansion, channels) in enumerate(_STAGES)
    ]


def _rounded(channels: float) -> int:
    """The nearest multiple of 8, at least nine tenths of ``channels``."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near if near >= 0.9 * channels else near + 8


class SameConv(nn.Module):
    """A convolution that keeps the size, or halves an even one; its batch norm is merged into weight and bias."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2 if stride == 1 else 0, groups=groups)
        # When halving, pad one pixel less before than after, as the ImageNet weights were trained.
        before = (kernel - 2) // 2
        self.edges = None if stride == 1 else (before, kernel - 2 - before) * 2

    def forward(self, maps: Tensor) -> Tensor:
        out: Tensor = self.conv(maps if self.edges is None else pad(maps, self.edges))
        return out


class Block(nn.Module):
    """Widen each pixel, convolve each channel, narrow again; added to the input if the shapes are equal."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = SameConv(inputs, inner) if expansion > 1 else None
        self.depthwise = SameConv(inner, inner, kernel, stride=stride, groups=inner)
        self.project = SameConv(inner, outputs)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, maps: Tensor) -> Tensor:
        inner = maps if self.expand is None else relu6(self.expand(maps))
        out: Tensor = self.project(relu6(self.depthwise(inner)))
        return maps + out if self.adds else out


class Layout(nn.Module):
    """The layout of a picture, cell by cell: maps (batch, channels, 2 grid, 2 grid) -> (batch, size)."""

    def __init__(self, channels: int, *, grid: int, size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.thin = nn.Linear(channels, _THIN)
        self.out = nn.Linear(_THIN * grid * grid, size)

    def forward(self, maps: Tensor) -> Tensor:
        thin = relu(self.thin(self.norm(maps.permute(0, 2, 3, 1))))
        cells = avg_pool2d(thin.permute(0, 3, 1, 2), 2)
        out: Tensor = self.out(cells.flatten(1))
        return out


class ImageNetStem(nn.Module):
    """The convolutions of an EfficientNet-Lite, or its first ``blocks``. ``stem``: one of ``STEMS``."""

    def __init__(self, stem: str, blocks: int | None = None) -> None:
        super().__init__()
        plan = [
            (outputs, kernel, stride if number == 0 else 1, expansion)
            for count, kernel, stride, expansion, outputs in stages_of(stem)
            for number in range(count)
        ][:blocks]
        self.first = SameConv(3, _FIRST, 3, stride=2)
        self.channels = [_FIRST, *(outputs for outputs, *_ in plan)]  # into each block, and out of the last
        self.blocks = nn.ModuleList(
            Block(inputs, outputs, kernel, stride, expansion)
            for (inputs, outputs), (_, kernel, stride, expansion) in zip(pairwise(self.channels), plan, strict=True)
        )

    def early(self, pixels: Tensor, blocks: int) -> Tensor:
        """Pixels -> the input maps of block number ``blocks``."""
        maps: Tensor = relu6(self.first(pixels))
        for block in self.blocks[:blocks]:
            maps = block(maps)
        return maps


class LiteStem(ImageNetStem):
    """Pixels (batch, 3, side, side) -> tokens (batch, 1 + grid * grid, width); one token covers 32 x 32 pixels.

    CLS starts as the mean of the grid, so that even a transformer that does nothing gives the pooled picture. The
    layout, which a mean loses, is added to its last ``layout`` numbers. ``stem``: one of ``STEMS``.
    """

    def __init__(self, *, grid: int, width: int, layout: int, stem: str = FIRST) -> None:
        super().__init__(stem)
        self.middle = sum(count for count, *_ in stages_of(stem)[:_MIDDLE])  # the block whose input shows the layout
        self.head = SameConv(self.channels[-1], _HEAD)
        self.to_width = nn.Linear(_HEAD, width)
        self.layout = Layout(self.channels[self.middle], grid=grid, size=layout)
        self.positions = nn.Parameter(torch.zeros(1 + grid * grid, width))

    def features(self, maps: Tensor, blocks: int) -> tuple[Tensor, Tensor]:
        """Input maps of block number ``blocks`` -> (batch, 1280, grid, grid), and the maps for ``Layout``."""
        for block in self.blocks[blocks : self.middle]:
            maps = block(maps)
        middle = maps
        for block in self.blocks[max(blocks, self.middle) :]:
            maps = block(maps)
        return relu6(self.head(maps)), middle

    def tokens(self, features: Tensor, middle: Tensor, positions: Tensor) -> Tensor:
        """Output of ``features`` and positions (1 + grid * grid, width) -> tokens (batch, 1 + grid * grid, width)."""
        patches = self.to_width(features.flatten(2).transpose(1, 2))
        mean, layout = patches.mean(dim=1), self.layout(middle)
        plain = mean.shape[1] - layout.shape[1]
        cls = torch.cat((mean[:, :plain], mean[:, plain:] + layout), dim=1)
        return torch.cat((cls[:, None], patches), dim=1) + positions

    def forward(self, pixels: Tensor) -> Tensor:
        return self.tokens(*self.features(self.early(pixels, 0), 0), self.positions)


class ShortStem(ImageNetStem):
    """The first ``blocks`` of an EfficientNet-Lite, down to a sixteenth of the side; 2 x 2 cells become a token.

    All the rest is left to a transformer with LayerNorms, as in CLIP: pixels (batch, 3, side, side) -> tokens
    (batch, 1 + grid * grid, width), CLS first.
    """

    def __init__(self, *, grid: int, width: int, stem: str, blocks: int) -> None:
        super().__init__(stem, blocks)
        self.to_width = nn.Conv2d(self.channels[-1], width, 2, stride=2)
        self.cls = nn.Parameter(torch.zeros(width))
        self.positions = nn.Parameter(torch.zeros(1 + grid * grid, width))

    def tokens(self, maps: Tensor) -> Tensor:
        """Maps (batch, channels, 2 grid, 2 grid) -> tokens (batch, 1 + grid * grid, width)."""
        patches = self.to_width(maps).flatten(2).transpose(1, 2)
        return torch.cat((self.cls.expand(len(maps), 1, -1), patches), dim=1) + self.positions

    def forward(self, pixels: Tensor) -> Tensor:
        return self.tokens(self.early(pixels, len(self.blocks)))


def build_lite(config: dict[str, Any]) -> tuple[ImageTower, TextTower]:
    """Towers with new weights and the shapes of a lite backbone's ``config.json``."""
    image, text, size = config["image"], config["text"], config["size"]
    width, grid, stem = image["width"], image["side"] // 32, image.get("stem", FIRST)
    image_tower = ImageTower(
        stem=ShortStem(grid=grid, width=width, stem=stem, blocks=image["blocks"])
        if "blocks" in image
        else LiteStem(grid=grid, width=width, layout=image["layout"], stem=stem),
        grid=grid,
        side=image["side"],
        pre_norm=nn.LayerNorm(width),
        layers=[new_layer(width, image["heads"], mlp_width=image["mlp_width"]) for _ in range(image["layers"])],
        post_norm=nn.LayerNorm(width),
        projection=nn.Linear(width, size, bias=False),
    )
    width = text["width"]
    text_tower = TextTower(
        words=nn.Embedding(text["vocabulary"], width),
        positions=nn.Embedding(text["context"], width),
        layers=[new_layer(width, text["heads"], mlp_width=text["mlp_width"]) for _ in range(text["layers"])],
        post_norm=nn.LayerNorm(width),
        projection=nn.Linear(width, size, bias=False),
    )
    return image_tower, text_tower
