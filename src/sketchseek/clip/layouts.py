"""The names of tensors in checkpoints: transformers' (of CLIP and SigLIP), OpenAI's (also open_clip's), and ours.

Ours are ``image.`` / ``text.`` with ``layers.N.`` of transformers' layer parts, and ``logit_scale``.
"""

import re
from collections.abc import Mapping

from torch import Tensor
from transformers import CLIPConfig

__all__ = ["config_from_shapes", "is_openai", "layer_counts", "to_ours"]

# transformers' prefix -> ours
_FROM_TRANSFORMERS = {
    "vision_model.embeddings.": "image.stem.",
    "vision_model.pre_layrnorm.": "image.pre_norm.",
    "vision_model.encoder.layers.": "image.layers.",
    "vision_model.post_layernorm.": "image.post_norm.",
    "visual_projection.": "image.projection.",
    "vision_model.head.": "image.projection.",  # of SigLIP, like the text model's
    "text_model.embeddings.token_embedding.": "text.words.",
    "text_model.embeddings.position_embedding.": "text.positions.",
    "text_model.encoder.layers.": "text.layers.",
    "text_model.final_layer_norm.": "text.post_norm.",
    "text_projection.": "text.projection.",
    "text_model.head.": "text.projection.",
    "logit_scale": "logit_scale",
}

# OpenAI's name -> ours; the two projections are stored transposed
_FROM_OPENAI = {
    "visual.conv1.weight": "image.stem.patch_embedding.weight",
    "visual.class_embedding": "image.stem.class_embedding",
    "visual.positional_embedding": "image.stem.position_embedding.weight",
    "visual.ln_pre.weight": "image.pre_norm.weight",
    "visual.ln_pre.bias": "image.pre_norm.bias",
    "visual.ln_post.weight": "image.post_norm.weight",
    "visual.ln_post.bias": "image.post_norm.bias",
    "visual.proj": "image.projection.weight",
    "token_embedding.weight": "text.words.weight",
    "positional_embedding": "text.positions.weight",
    "ln_final.weight": "text.post_norm.weight",
    "ln_final.bias": "text.post_norm.bias",
    "text_projection": "text.projection.weight",
    "logit_scale": "logit_scale",
}
_TRANSPOSED = ("visual.proj", "text_projection")
_OPENAI_LAYER = re.compile(r"(visual\.)?transformer\.resblocks\.(\d+)\.(.+)")
_OPENAI_PARTS = {
    "attn.out_proj": "self_attn.out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}

# Not weights: metadata in OpenAI's archives, and index buffers of old transformers.
_OPENAI_NOTES = ("input_resolution", "context_length", "vocab_size")
_INDEX_BUFFERS = ("text_model.embeddings.position_ids", "vision_model.embeddings.position_ids")
_BIAS = "logit_bias"  # of SigLIP's probabilities: it changes no order, and no loss of ours uses it


def is_openai(state: Mapping[str, Tensor]) -> bool:
    """Whether the tensors have OpenAI's names."""
    return "visual.conv1.weight" in state


def to_ours(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors with any of the known names -> with ours; unknown names stay, so that the reader can report them.

    Raises ``ValueError`` for a tensor of an impossible shape.
    """
    if is_openai(state):
        return _from_openai(state)
    ours = {}
    for name, tensor in state.items():
        if name not in (*_INDEX_BUFFERS, _BIAS):
            prefix = next((prefix for prefix in _FROM_TRANSFORMERS if name.startswith(prefix)), "")
            ours[_FROM_TRANSFORMERS.get(prefix, "") + name.removeprefix(prefix)] = tensor
    if "logit_scale" in ours:
        ours["logit_scale"] = ours["logit_scale"].squeeze()  # SigLIP's is a vector of one number
    return ours


def _from_openai(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    ours = {}
    for name, tensor in state.items():
        if name in _OPENAI_NOTES or name == "attn_mask":
            continue
        match = _OPENAI_LAYER.fullmatch(name)
        if match is None:
            if name in _TRANSPOSED and tensor.ndim != 2:
                raise ValueError(f"{name} has shape {tuple(tensor.shape)}, but must be a matrix")
            ours[_FROM_OPENAI.get(name, name)] = tensor.T if name in _TRANSPOSED else tensor
            continue
        layer = f"{'image' if match[1] else 'text'}.layers.{match[2]}"
        part, _, kind = match[3].rpartition(".")
        if match[3] in ("attn.in_proj_weight", "attn.in_proj_bias"):
            rows = tensor.shape[0] if tensor.ndim else 0
            if rows == 0 or rows % 3:
                raise ValueError(f"{name} has {rows} rows, which are not queries, keys and values")
            for letter, third in zip("qkv", tensor.chunk(3), strict=True):
                ours[f"{layer}.self_attn.{letter}_proj.{match[3].removeprefix('attn.in_proj_')}"] = third
        else:
            ours[f"{layer}.{_OPENAI_PARTS.get(part, part)}.{kind}"] = tensor
    return ours


def layer_counts(ours: Mapping[str, Tensor]) -> tuple[int, int]:
    """The number of layers of the image tower and of the text tower."""
    numbers = [re.match(r"(image|text)\.layers\.(\d+)\.", name) for name in ours]
    image, text = (len({m[2] for m in numbers if m and m[1] == tower}) for tower in ("image", "text"))
    return image, text


def config_from_shapes(
    ours: Mapping[str, Tensor], *, activation: str, image_head_width: int = 64, text_heads: int | None = None
) -> CLIPConfig:
    """The config, which OpenAI's layout does not contain, derived from the shapes of the tensors.

    ``text_heads``: by default as many as give heads of width 64.
    """
    try:
        width, _, patch, _ = ours["image.stem.patch_embedding.weight"].shape
        grid = round((len(ours["image.stem.position_embedding.weight"]) - 1) ** 0.5)
        vocabulary, text_width = ours["text.words.weight"].shape
        image_layers, text_layers = layer_counts(ours)
        size = len(ours["image.projection.weight"])
        return CLIPConfig(
            projection_dim=size,
            vision_config={
                "hidden_size": width,
                "intermediate_size": len(ours["image.layers.0.mlp.fc1.weight"]),
                "num_hidden_layers": image_layers,
                "num_attention_heads": width // image_head_width,
                "image_size": grid * patch,
                "patch_size": patch,
                "hidden_act": activation,
                "projection_dim": size,
            },
            text_config={
                "vocab_size": vocabulary,
                "hidden_size": text_width,
                "intermediate_size": len(ours["text.layers.0.mlp.fc1.weight"]),
                "num_hidden_layers": text_layers,
                "num_attention_heads": text_heads or text_width // 64,
                "max_position_embeddings": len(ours["text.positions.weight"]),
                "hidden_act": activation,
                "projection_dim": size,
            },
        )
    except KeyError as error:
        raise ValueError(f"the tensor {error.args[0]} is missing") from None
