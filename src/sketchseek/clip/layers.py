"""One transformer layer of CLIP, with our own forward pass that accepts side branches and other LayerNorms."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu
from transformers import CLIPVisionConfig
from transformers.activations import QuickGELUActivation
from transformers.models.clip.modeling_clip import CLIPEncoderLayer as Layer

__all__ = ["Branch", "Layer", "new_layer", "run_layer"]


@dataclass(frozen=True)
class Branch:
    """What runs beside a layer, without changing its weights.

    ``qkv``: normalised tokens (batch, n, width) -> (batch, n, 3 * width), added to queries, keys and values.
    ``mlp``: tokens after attention, before the second LayerNorm (batch, n, width) -> the same shape, added to the
    output of the MLP.
    """

    qkv: Callable[[Tensor], Tensor] | None = None
    mlp: Callable[[Tensor], Tensor] | None = None


def new_layer(width: int, heads: int, *, mlp_width: int | None = None, activation: str = "quick_gelu") -> Layer:
    """A layer with new random weights, shaped like CLIP's; ``mlp_width`` is four times ``width`` by default."""
    if width % heads:
        raise ValueError(f"a width of {width} cannot be divided among {heads} heads")
    return Layer(
        CLIPVisionConfig(
            hidden_size=width,
            num_attention_heads=heads,
            intermediate_size=mlp_width or 4 * width,
            hidden_act=activation,
        )
    )


def run_layer(
    layer: Layer,
    tokens: Tensor,
    *,
    norms: tuple[nn.Module, nn.Module] | None = None,
    branch: Branch | None = None,
    causal: bool = False,
    first_only: bool = False,
) -> Tensor:
    """Tokens (batch, n, width) through one layer -> (batch, n, width).

    ``norms`` replace the two LayerNorms of the layer. ``causal``: a token sees only itself and earlier ones.
    ``first_only``: return only the first token (batch, 1, width), at a fraction of the cost; it still sees the others.
    """
    norm1, norm2 = norms or (layer.layer_norm1, layer.layer_norm2)
    branch = branch or Branch()
    attention = layer.self_attn

    kept = slice(0, 1) if first_only else slice(None)
    normed = norm1(tokens)
    queries, keys, values = attention.q_proj(normed[:, kept]), attention.k_proj(normed), attention.v_proj(normed)
    if branch.qkv is not None:
        more_queries, more_keys, more_values = branch.qkv(normed).chunk(3, dim=-1)
        queries, keys, values = queries + more_queries[:, kept], keys + more_keys, values + more_values

    def split(states: Tensor) -> Tensor:
        batch, n, _ = states.shape
        return states.view(batch, n, attention.num_heads, -1).transpose(1, 2)

    mixed = scaled_dot_product_attention(split(queries), split(keys), split(values), is_causal=causal)
    tokens = tokens[:, kept] + attention.out_proj(mixed.transpose(1, 2).flatten(2))

    out = tokens + _mlp(layer, norm2(tokens))
    return out if branch.mlp is None else out + branch.mlp(tokens)


def _mlp(layer: Layer, tokens: Tensor) -> Tensor:
    hidden = layer.mlp.fc1(tokens)
    if hidden.requires_grad and isinstance(layer.mlp.activation_fn, QuickGELUActivation):
        # x sigmoid(1.702 x), written so that backward needs one tensor of this size instead of two.
        active = silu(1.702 * hidden).mul_(1 / 1.702)
    else:
        active = layer.mlp.activation_fn(hidden)
    out: Tensor = layer.mlp.fc2(active)
    return out
