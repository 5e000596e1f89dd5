"""DP-CLIP's patch-level matching: four overlapping windows of patches, each read by a copy of CLIP's last layer."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from sketchseek.clip.layers import run_layer
from sketchseek.clip.towers import ImageTower
from sketchseek.clip.trainable import norm_names, train_only
from sketchseek.errors import SketchseekError
from sketchseek.methods.side_branch import SideBranch

NUMBER = 4


def window_indices(grid: int, side: int = 5, first: int = 1) -> Tensor:
    """The tokens of each window: CLS, then side x side patches row by row; int64, shape (4, first + side * side).

    Windows are in the corners of the grid x grid patches: top left, top right, bottom left, bottom right. Token 0 is
    CLS, token 1 + grid * row + column a patch; ``first`` is 0 for a tower without CLS.
    """
    if not 1 <= side <= grid:
        raise SketchseekError(
            f"windows of {side}x{side} patches do not fit into the backbone's {grid}x{grid}: "
            "choose a smaller window or another backbone"
        )
    patches = first + torch.arange(grid * grid).view(grid, grid)
    ends = slice(0, side), slice(grid - side, grid)
    windows = [patches[rows, columns].flatten() for rows in ends for columns in ends]
    cls = torch.zeros(NUMBER, first, dtype=torch.int64)
    return torch.cat((cls, torch.stack(windows)), dim=1)


class LocalHead(nn.Module):
    """Input tokens of the tower's last layer -> f_l^1 to f_l^4.

    One copy of the last layer for all windows, of which only the LayerNorms are trained, with a trained copy of that
    layer's ``branch``, never scaled; for each window a separate, trained copy of ``post_norm`` and of the projection.
    """

    indices: Tensor

    def __init__(self, image: ImageTower, side: int = 5, branch: SideBranch | None = None) -> None:
        super().__init__()
        self.register_buffer("indices", window_indices(image.grid, side, image.first), persistent=False)
        self.reads_first = image.reads_first
        self.layer = deepcopy(image.stack[-1])
        train_only(self.layer, norm_names(self.layer))
        self.branch = deepcopy(branch)
        self.norms = nn.ModuleList(deepcopy(image.post_norm) for _ in range(NUMBER)).requires_grad_(True)
        self.projections = nn.ModuleList(deepcopy(image.projection) for _ in range(NUMBER)).requires_grad_(True)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (n, first + grid * grid, width), CLS first, no prompts -> (n, 4, size), not normalised."""
        n, _, width = tokens.shape
        windows = tokens[:, self.indices].view(n * NUMBER, -1, width)
        branch = None if self.branch is None else self.branch.scaled()
        states = run_layer(self.layer, windows, branch=branch, first_only=self.reads_first)
        read = states.view(n, NUMBER, width) if self.reads_first else states.view(n, NUMBER, -1, width)
        features = [
            projection(norm(read[:, i]))
            for i, (norm, projection) in enumerate(zip(self.norms, self.projections, strict=True))
        ]
        return torch.stack(features, dim=1)
