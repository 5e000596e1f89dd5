"""What the papers' released codes leave trainable although their papers freeze it.

Those codes freeze what is called ``weight`` or ``bias`` in OpenAI's CLIP; parameters by other names are forgotten.
"""

from torch import nn

from sketchseek.clip.towers import ImageTower


def forgotten(image: ImageTower, *, attention: bool) -> tuple[nn.Parameter, ...]:
    """The image tower's projection, class and position embedding.

    ``attention``: also queries, keys and values of all layers, in OpenAI's layout one ``in_proj_weight`` and one
    ``in_proj_bias`` a layer. A stem without class or position embeddings has none to forget.
    """
    found = [
        p for name, p in image.stem.named_parameters() if "class_embedding" in name or "position_embedding" in name
    ]
    if attention:
        for layer in image.stack:
            for projection in (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj):
                found += projection.parameters()
    return (*found, *image.projection.parameters())
