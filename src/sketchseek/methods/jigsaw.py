"""SpLIP's conditional cross-modal jigsaw: the table of tile orders, the puzzles and the solver F_js."""

import itertools
import random
from math import factorial

import numpy as np
import torch
from torch import Tensor, nn

from sketchseek.errors import SketchseekError
from sketchseek.methods.tiles import shuffle_tiles


def permutation_table(count: int = 100, grid: int = 3, seed: int = 0) -> Tensor:
    """Y: ``count`` permutations of grid * grid tiles, chosen greedily to differ as much as possible.

    Each new permutation maximises the smallest Hamming distance to those already chosen; ``seed`` breaks ties. The same
    arguments give the same table everywhere, because only Python's random numbers are used.
    Returns int64, shape (count, grid * grid), all rows different.
    """
    tiles = grid * grid
    if grid not in (2, 3):
        raise SketchseekError(f"the jigsaw's grid must be 2 or 3 tiles a side, not {grid}")
    if not 1 <= count <= factorial(tiles):
        raise SketchseekError(f"a jigsaw of {tiles} tiles must have 1 to {factorial(tiles)} permutations, not {count}")
    draw = random.Random(seed).random  # noqa: S311 - not a secret
    keys = np.array([draw() for _ in range(factorial(tiles))])
    everything = np.array(list(itertools.permutations(range(tiles))), dtype=np.uint8)
    # One row per tile, one column per candidate: numpy sums long rows fastest.
    candidates = np.ascontiguousarray(everything[keys.argsort(kind="stable")].T)
    chosen = [0]
    nearest = np.full(candidates.shape[1], tiles + 1, dtype=np.uint8)
    while len(chosen) < count:
        differs = candidates != candidates[:, chosen[-1], np.newaxis]
        nearest = np.minimum(nearest, differs.view(np.uint8).sum(axis=0, dtype=np.uint8))
        # argmax takes the first of equals; the seeded keys put the candidates in random order.
        chosen.append(int(nearest.argmax()))
    return torch.from_numpy(candidates[:, chosen].T.astype(np.int64))


def make_puzzles(sketches: Tensor, table: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """s' and y: each sketch shuffled by a random row of the table, and which row that was.

    ``sketches``: s, shape (n, 3, height, width). ``table``: see ``permutation_table``.
    Returns s', of the shape of s, and y, int64 of shape (n,), on the sketches' device.
    """
    order = torch.randint(len(table), (len(sketches),), generator=generator, device=generator.device)
    shuffled = shuffle_tiles(sketches, table[order.to(table.device)])
    return shuffled, order.to(sketches.device)


class JigsawSolver(nn.Module):
    """F_js: which permutation made the shuffled sketch, given a whole picture beside it.

    The pair [F_v(x), F_v(s')] is a sequence of two tokens -> Transformer encoder -> mean over the tokens -> linear.
    ``size``: width of an embedding. ``permutations``: |Y|.
    """

    def __init__(self, size: int = 512, permutations: int = 100, layers: int = 2, heads: int = 8, dropout: float = 0.1):
        super().__init__()
        if size % heads:
            raise SketchseekError(
                f"the jigsaw solver's {heads} heads do not divide an embedding of {size}; set another number"
            )
        # Made one by one: nn.TransformerEncoder would start every layer as a copy of the first.
        self.layers = nn.Sequential(
            *(nn.TransformerEncoderLayer(size, heads, 4 * size, dropout, batch_first=True) for _ in range(layers))
        )
        self.classifier = nn.Linear(size, permutations)

    def forward(self, whole: Tensor, shuffled: Tensor) -> Tensor:
        """Logits over the permutations, shape (n, |Y|).

        ``whole``: F_v(s), F_v(p+) or F_v(p-), shape (n, size); ``shuffled``: F_v(s'), shape (n, size).
        """
        pair = torch.stack([whole, shuffled], dim=1)
        logits: Tensor = self.classifier(self.layers(pair).mean(dim=1))
        return logits
