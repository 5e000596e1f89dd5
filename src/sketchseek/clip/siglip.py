"""SigLIP's towers: patches without CLS, pooled by attention; texts without SOS and mask, read from the last token."""

from collections.abc import Mapping
from typing import Any

from torch import nn
from transformers import SiglipConfig
from transformers.models.siglip.modeling_siglip import (
    SiglipMultiheadAttentionPoolingHead,
    SiglipTextEmbeddings,
    SiglipVisionEmbeddings,
)

from sketchseek.clip.layers import Layer
from sketchseek.clip.towers import ImageTower, TextTower

__all__ = ["build_siglip", "siglip_config"]


def siglip_config(written: Mapping[str, Any]) -> SiglipConfig:
    """The config in a ``config.json``."""
    # Some in published configs are CLIP's, of which transformers warns; the tokenizer's files have the right ones.
    tokens = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))
    text = {**(written.get("text_config") or {}), **tokens}
    return SiglipConfig(text_config=text, vision_config=written.get("vision_config"))


def build_siglip(config: SiglipConfig, padding: int) -> tuple[ImageTower, TextTower]:
    """Towers with new weights and the shapes of a SigLIP's ``config.json``; ``padding``: the token that fills texts."""
    vision: Any = config.vision_config
    text: Any = config.text_config
    embeddings = SiglipTextEmbeddings(text)
    image_tower = ImageTower(
        first=0,
        stem=SiglipVisionEmbeddings(vision),
        grid=vision.image_size // vision.patch_size,
        side=vision.image_size,
        pre_norm=None,
        layers=[Layer(vision) for _ in range(vision.num_hidden_layers)],
        post_norm=nn.LayerNorm(vision.hidden_size, eps=vision.layer_norm_eps),
        projection=SiglipMultiheadAttentionPoolingHead(vision),
    )
    text_tower = TextTower(
        words=embeddings.token_embedding,
        positions=embeddings.position_embedding,
        layers=[Layer(text) for _ in range(text.num_hidden_layers)],
        post_norm=nn.LayerNorm(text.hidden_size, eps=text.layer_norm_eps),
        projection=nn.Linear(text.hidden_size, text.projection_size),
        padding=padding,
    )
    return image_tower, text_tower
