"""Parameters that the released code of the papers leaves trainable, although the papers freeze them.

That code freezes parameters named ``weight`` or ``bias`` in OpenAI's CLIP, and misses those with other names.
"""

from torch import nn

from sketchseek.clip.layers import Layer
from sketchseek.clip.towers import ImageTower


def embeddings_and_projection(image: ImageTower) -> tuple[nn.Parameter, ...]:
    """The projection, and the class and position embeddings if the stem has them."""
    names = ("class_embedding", "position_embedding")
    embeddings = [p for full, p in image.stem.named_parameters() if any(name in full for name in names)]
    return (*embeddings, *image.projection.parameters())


def queries_keys_values(*layers: Layer) -> tuple[nn.Parameter, ...]:
    """Query, key and value projections: ``in_proj_weight`` and ``in_proj_bias`` of each layer in OpenAI's CLIP."""
    return tuple(
        parameter
        for layer in layers
        for projection in (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj)
        for parameter in projection.parameters()
    )
