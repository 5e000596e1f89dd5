"""What the papers' released codes leave trainable although their papers freeze it.

Those codes freeze what is called ``weight`` or ``bias`` in OpenAI's CLIP; parameters by other names are forgotten.
"""

from torch import nn

from sketchseek.clip.layers import Layer
from sketchseek.clip.towers import ImageTower


def forgotten(image: ImageTower) -> tuple[nn.Parameter, ...]:
    """The projection, the class and the position embedding. A stem without such embeddings has none to forget."""
    names = ("class_embedding", "position_embedding")
    embeddings = [p for full, p in image.stem.named_parameters() if any(name in full for name in names)]
    return (*embeddings, *image.projection.parameters())


def forgotten_attention(*layers: Layer) -> tuple[nn.Parameter, ...]:
    """Queries, keys and values: in OpenAI's layout one ``in_proj_weight`` and one ``in_proj_bias`` a layer."""
    return tuple(
        parameter
        for layer in layers
        for projection in (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj)
        for parameter in projection.parameters()
    )
