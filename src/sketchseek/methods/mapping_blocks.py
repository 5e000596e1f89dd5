"""SpLIP's blocks between the towers: B_t from patches to words, B_vt from text states to image tokens.

B_v, from words to image tokens, is one linear layer without a class. The paper does not specify the layers inside.
"""

from torch import Tensor, nn
from torch.nn import functional


class PatchesToWords(nn.Module):
    """B_t: E_0 -> T, three linear layers with GELU: over the patches, to the text width, within the text width."""

    def __init__(self, patches: int, image_width: int, text_width: int, tokens: int) -> None:
        super().__init__()
        self.mix = nn.Linear(patches, tokens)
        self.narrow = nn.Linear(image_width, text_width)
        self.last = nn.Linear(text_width, text_width)

    def forward(self, patches: Tensor) -> Tensor:
        """Patch embeddings with their positions (n, patches, image width) -> T (n, tokens, text width)."""
        mixed = self.mix(patches.transpose(1, 2)).transpose(1, 2)
        words: Tensor = self.last(functional.gelu(self.narrow(functional.gelu(mixed))))
        return words


class StatesToImage(nn.Module):
    """B_vt: the mean of W_l -> V^ms_l, two linear layers with ReLU.

    ``blocks``: 1 for one block shared by all layers, else one for each. ``std``: of the initial last weights, small so
    that the image tower starts close to CLIP.
    """

    def __init__(self, text_width: int, image_width: int, *, tokens: int, blocks: int, std: float) -> None:
        super().__init__()
        self.tokens = tokens
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(text_width, image_width), nn.ReLU(), _small(image_width, tokens * image_width, std))
            for _ in range(blocks)
        )

    def forward(self, state: Tensor, layer: int) -> Tensor:
        """Mean text state (..., text width) of a layer, counted from 0 -> (..., tokens, image width)."""
        flat: Tensor = self.blocks[layer % len(self.blocks)](state)
        return flat.view(*state.shape[:-1], self.tokens, -1)


def _small(width: int, to: int, std: float) -> nn.Linear:
    linear = nn.Linear(width, to)
    nn.init.normal_(linear.weight, std=std)
    nn.init.zeros_(linear.bias)
    return linear
