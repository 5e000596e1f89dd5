"""Cut pictures into grid x grid tiles and reorder them: for CLIP-AT's patch shuffling and SpLIP's jigsaw."""

import torch
from torch import Tensor
from torch.nn import functional

from sketchseek.errors import SketchseekError


def cut(images: Tensor, grid: int) -> Tensor:
    """Tiles row by row: (n, channels, height, width) -> (n, grid * grid, channels, height / grid, width / grid)."""
    n, channels, height, width = images.shape
    tiles = images.reshape(n, channels, grid, height // grid, grid, width // grid)
    return tiles.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)


def join(tiles: Tensor) -> Tensor:
    """The inverse of ``cut``: (n, grid * grid, channels, h, w) -> (n, channels, grid * h, grid * w)."""
    n, number, channels, height, width = tiles.shape
    grid = int(number**0.5)
    rows = tiles.reshape(n, grid, grid, channels, height, width).permute(0, 3, 1, 4, 2, 5)
    return rows.reshape(n, channels, grid * height, grid * width)


def reorder(tiles: Tensor, orders: Tensor) -> Tensor:
    """Tile k of the result is tile ``orders[i, k]`` of picture i. (n, tiles, ...) and (n, tiles) -> (n, tiles, ...)."""
    rows = torch.arange(len(tiles), device=tiles.device).unsqueeze(1)
    return tiles[rows, orders.to(tiles.device)]


def shuffle_tiles(images: Tensor, orders: Tensor) -> Tensor:
    """f's input x^gamma: every picture with its tiles in an order of its own.

    ``images``: float, shape (n, channels, height, width). ``orders``: gamma, one permutation of grid * grid tiles per
    picture, shape (n, grid * grid). Returns the shape of ``images``. Pictures whose sides are not divisible by the grid
    are enlarged to the next size that is, and resized back (SpLIP: 224 -> 225 -> 224); otherwise every pixel keeps its
    exact value and ``shuffle_tiles(shuffled, orders.argsort(dim=-1))`` restores the picture.
    """
    grid = int(orders.shape[1] ** 0.5)
    height, width = images.shape[-2:]
    # Rounded up, so that no pixel is lost.
    whole = (-(-height // grid) * grid, -(-width // grid) * grid)
    if whole == (height, width):
        return join(reorder(cut(images, grid), orders))
    shuffled = join(reorder(cut(_resize(images, whole), grid), orders))
    return _resize(shuffled, (height, width))


def draw_orders(n: int, grid: int, generator: torch.Generator) -> Tensor:
    """n random permutations of grid * grid tiles, the identity as likely as any. -> int64 (n, grid * grid)."""
    keys = torch.rand(n, grid * grid, generator=generator, device=generator.device, dtype=torch.float64)
    return keys.argsort(dim=1)


def draw_two_orders(n: int, grid: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """CLIP-AT's gamma1 and gamma2 != gamma1 of each sample. -> two int64 tensors (n, grid * grid)."""
    if grid < 2:
        raise SketchseekError(f"patch shuffling requires a grid of at least 2 tiles a side, not {grid}")
    first = draw_orders(n, grid, generator)
    second = draw_orders(n, grid, generator)
    while (same := (first == second).all(dim=1)).any():
        second[same] = draw_orders(int(same.sum()), grid, generator)
    return first, second


def _resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(images, size=size, mode="bilinear", align_corners=False)
