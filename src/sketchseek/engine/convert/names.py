"""Names of tensors in checkpoints (transformers' and open_clip's) -> ours, without reading the tensors.

Ours: ``image.`` or ``text.``, ``layers.N.`` with ``norm1 q k v out norm2 fc1 fc2``, ``post_norm``, ``projection``;
``image.patch.weight``, ``image.class``, ``image.positions``, ``image.pre_norm``, ``image.head.``; ``text.words``,
``text.positions``; ``logit_scale``. Matrices of linear layers are (out, in).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from sketchseek.engine.convert.checkpoint import Array, Checkpoint, ConvertError


@dataclass(frozen=True)
class Piece:
    """A tensor of a checkpoint, or one of three equal parts of its rows, perhaps transposed."""

    checkpoint: Checkpoint
    name: str
    third: int | None = None
    transposed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        shape = self.checkpoint.shapes[self.name]
        if self.third is not None:
            shape = (shape[0] // 3, *shape[1:])
        return shape[::-1] if self.transposed else shape

    def read(self) -> Array:
        """The numbers, as float32."""
        values = self.checkpoint.read(self.name)
        if self.third is not None:
            rows = len(values) // 3
            values = values[self.third * rows : (self.third + 1) * rows]
        return np.ascontiguousarray(values.T) if self.transposed else values


_TRANSFORMERS = {
    "vision_model.embeddings.patch_embedding.": "image.patch.",
    "vision_model.embeddings.class_embedding": "image.class",
    "vision_model.embeddings.position_embedding.weight": "image.positions",
    "vision_model.pre_layrnorm.": "image.pre_norm.",
    "vision_model.encoder.layers.": "image.layers.",
    "vision_model.post_layernorm.": "image.post_norm.",
    "vision_model.head.attention.in_proj_": "image.head.qkv.",
    "vision_model.head.attention.out_proj.": "image.head.out.",
    "vision_model.head.layernorm.": "image.head.norm.",
    "vision_model.head.mlp.": "image.head.",
    "vision_model.head.probe": "image.head.probe",
    "visual_projection.": "image.projection.",
    "text_model.embeddings.token_embedding.weight": "text.words",
    "text_model.embeddings.position_embedding.weight": "text.positions",
    "text_model.encoder.layers.": "text.layers.",
    "text_model.final_layer_norm.": "text.post_norm.",
    "text_model.head.": "text.projection.",
    "text_projection.": "text.projection.",
    "logit_scale": "logit_scale",
    "logit_bias": "logit_bias",
}
_OPEN_CLIP = {
    "visual.conv1.": "image.patch.",
    "visual.class_embedding": "image.class",
    "visual.positional_embedding": "image.positions",
    "visual.ln_pre.": "image.pre_norm.",
    "visual.transformer.resblocks.": "image.layers.",
    "visual.ln_post.": "image.post_norm.",
    "visual.proj": "image.projection.weight",
    "token_embedding.weight": "text.words",
    "positional_embedding": "text.positions",
    "transformer.resblocks.": "text.layers.",
    "ln_final.": "text.post_norm.",
    "text_projection": "text.projection.weight",
    "logit_scale": "logit_scale",
}
_TRANSPOSED = ("visual.proj", "text_projection")  # open_clip keeps them as (in, out)
_PARTS = {
    "layer_norm1": "norm1",
    "layer_norm2": "norm2",
    "self_attn.q_proj": "q",
    "self_attn.k_proj": "k",
    "self_attn.v_proj": "v",
    "self_attn.out_proj": "out",
    "mlp.fc1": "fc1",
    "mlp.fc2": "fc2",
    "ln_1": "norm1",
    "ln_2": "norm2",
    "attn.out_proj": "out",
    "mlp.c_fc": "fc1",
    "mlp.c_proj": "fc2",
}
_LAYER = re.compile(r"((?:image|text)\.layers\.\d+)\.(.+)\.(weight|bias)")
# Not weights: notes in OpenAI's archives, index buffers of old transformers.
_IGNORED = re.compile(r".*position_ids|attn_mask|input_resolution|context_length|vocab_size")


def is_open_clip(checkpoint: Checkpoint) -> bool:
    """Whether the tensors have open_clip's names, which are OpenAI's too."""
    return any(name.startswith("visual.") for name in checkpoint.shapes)


def pieces_of(checkpoint: Checkpoint) -> dict[str, Piece]:
    """The tensors by our names; a name that is not known stays as it is."""
    table = _OPEN_CLIP if is_open_clip(checkpoint) else _TRANSFORMERS
    found: dict[str, Piece] = {}
    for written in checkpoint.shapes:
        if _IGNORED.fullmatch(written):
            continue
        piece = Piece(checkpoint, written)
        name = written.removeprefix("text.") if table is _OPEN_CLIP else written  # the prefix of newer open_clips
        if table is _OPEN_CLIP and name in _TRANSPOSED:
            piece = replace(piece, transposed=True)
        found.update(_renamed(_known(name, table), piece))
    return found


def _known(name: str, table: Mapping[str, str]) -> str:
    if name in table:
        return table[name]
    prefix = next((start for start in table if start.endswith((".", "_")) and name.startswith(start)), "")
    return table.get(prefix, "") + name.removeprefix(prefix)


def _renamed(name: str, piece: Piece) -> dict[str, Piece]:
    """The piece by our name; queries, keys and values apart."""
    match = _LAYER.fullmatch(name)
    if match:
        layer, part, kind = match.groups()
        name = f"{layer}.{_PARTS.get(part, part)}.{kind}"
    name = re.sub(r"\.attn\.in_proj_", ".qkv.", name)
    if ".qkv." not in name:
        return {name: piece}
    if piece.shape[0] % 3:
        raise ConvertError(
            f"{piece.checkpoint.path}: {piece.name} has {piece.shape[0]} rows, which are not queries, keys and values"
        )
    return {name.replace(".qkv.", f".{part}."): replace(piece, third=number) for number, part in enumerate("qkv")}
