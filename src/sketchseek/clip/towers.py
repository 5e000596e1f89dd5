"""The image tower and the text tower: tokens in, layer by layer, one embedding out."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from sketchseek.clip.adaptation import Adaptation, Norms, Prompted
from sketchseek.clip.layers import Layer, run_layer

__all__ = ["ImageTower", "LayerInput", "Run", "TextTower", "Tower"]


@dataclass(frozen=True)
class Run:
    """The result of a forward pass.

    ``embedding``: (batch, size), not normalised.
    ``tokens``: layer -> its input tokens (batch, n, width) without prompts, for each layer in ``keep``; the key
    ``depth`` gives the output of the last layer.
    """

    embedding: Tensor
    tokens: Mapping[int, Tensor]


@dataclass(frozen=True)
class LayerInput:
    """The input of a layer: tokens (batch, n, width), prompts included, and the adaptation of the pass."""

    tokens: Tensor
    adaptation: Adaptation


class Tower(nn.Module):
    """What both towers share: the layers, the LayerNorms around them, and the projection into the common space.

    ``width`` of a token, ``heads`` per layer, ``depth`` in layers, ``size`` of the embedding. ``first``: how many
    tokens stand before patches or words: 1 (CLS, SOS) in CLIP, 0 in SigLIP. ``projection``: a linear layer, or a head
    that pools all tokens into one of their width.
    ``checkpointing``: recompute each layer in backward instead of keeping its activations (less memory, more time).
    """

    reads_first = False  # whether the embedding is read from the first token

    def __init__(
        self,
        *,
        first: int,
        pre_norm: nn.Module | None,
        layers: list[Layer],
        post_norm: nn.Module,
        projection: nn.Module,
        causal: bool,
    ) -> None:
        super().__init__()
        self.first = first
        self.pre_norm = pre_norm
        self.layers = nn.ModuleList(layers)
        self.post_norm = post_norm
        self.projection = projection
        self.causal = causal
        self.checkpointing = False
        self._layer: Callable[..., Tensor] = run_layer
        self._recorders: dict[int, list[LayerInput]] = {}
        self.width: int = layers[0].self_attn.embed_dim
        self.size: int = projection.out_features if isinstance(projection, nn.Linear) else self.width
        self.depth = len(layers)
        self.heads: int = layers[0].self_attn.num_heads

    def compile_layers(self) -> None:
        """Run every layer as code that torch compiles at its first use, one piece for all layers alike."""
        self._layer = torch.compile(run_layer)

    @property
    def stack(self) -> list[Layer]:
        """The layers in order, with their type."""
        return cast(list[Layer], list(self.layers))

    def copy_norms(self) -> Norms:
        """A trainable copy of all LayerNorms, for ``Adaptation.norms``."""
        return Norms(self)

    def project(self, states: Tensor, norms: Norms | None = None) -> Tensor:
        """States (..., width) of tokens that are read (CLS, EOS) -> embeddings (..., size), not normalised.

        A projection that pools makes one embedding of all tokens: (batch, n, width) -> (batch, size).
        """
        post_norm = self.post_norm if norms is None else norms.post
        embedding: Tensor = self.projection(post_norm(states))
        return embedding

    @contextmanager
    def recording(self, layer: int) -> Iterator[list[LayerInput]]:
        """A list to which every forward pass inside the block adds the input of ``layer``."""
        inputs: list[LayerInput] = []
        self._recorders[layer] = inputs
        try:
            yield inputs
        finally:
            del self._recorders[layer]

    def _run_layers(
        self, tokens: Tensor, adaptation: Adaptation, keep: Collection[int]
    ) -> tuple[Prompted, dict[int, Tensor]]:
        """Tokens from ``embed`` -> the output of the last layer, and the inputs of the layers in ``keep``."""
        for what, layers, last in (
            ("prompts", adaptation.prompts, self.depth - 1),
            ("branches", adaptation.branches, self.depth - 1),
            ("keep", keep, self.depth),
        ):
            if outside := [layer for layer in layers if not 0 <= layer <= last]:
                raise ValueError(f"{what}: layer {outside[0]} is not one of 0 to {last}")

        state = Prompted(tokens, 0, adaptation.place, self.first)
        pre_norm = self.pre_norm if adaptation.norms is None else adaptation.norms.pre
        joins_early = pre_norm is not None and adaptation.before_pre_norm
        if joins_early and 0 in adaptation.prompts:
            state = state.with_prompts(adaptation.prompts[0])
        if pre_norm is not None:
            state = replace(state, tokens=pre_norm(state.tokens))

        kept: dict[int, Tensor] = {}
        for number in range(self.depth):
            if number in adaptation.prompts and not (number == 0 and joins_early):
                state = state.with_prompts(adaptation.prompts[number])
            if number in keep:
                kept[number] = state.plain
            # Only the first token of the last layer is needed.
            first_only = self.reads_first and number == self.depth - 1 and self.depth not in keep
            tokens = self.run_layer(number, state.tokens, adaptation, first_only=first_only)
            state = replace(state, tokens=tokens, count=0 if first_only else state.count)
        if self.depth in keep:
            kept[self.depth] = state.plain
        return state, kept

    def run_layer(self, number: int, tokens: Tensor, adaptation: Adaptation, *, first_only: bool = False) -> Tensor:
        """Tokens (batch, n, width), prompts included, through a layer; ``first_only``: return only the first token."""
        if number in self._recorders:
            self._recorders[number].append(LayerInput(tokens, adaptation))
        norms = adaptation.norms

        def run(tokens: Tensor) -> Tensor:
            return self._layer(
                self.stack[number],
                tokens,
                norms=None if norms is None else (norms.first[number], norms.second[number]),
                branch=adaptation.branches.get(number),
                causal=self.causal,
                first_only=first_only,
            )

        if self.checkpointing and torch.is_grad_enabled():
            recomputed: Tensor = checkpoint(run, tokens, use_reentrant=False)
            return recomputed
        return run(tokens)


class ImageTower(Tower):
    """Pixels -> CLS and a grid of patches -> layers -> an embedding read from CLS; without CLS, from all patches.

    ``stem``: pixels (batch, 3, side, side) -> tokens (batch, first + grid * grid, width), CLS first, positions added.
    Every method runs on a backbone with any such stem.
    """

    def __init__(
        self,
        *,
        first: int = 1,
        stem: nn.Module,
        grid: int,
        side: int,
        pre_norm: nn.Module | None,
        layers: list[Layer],
        post_norm: nn.Module,
        projection: nn.Module,
    ) -> None:
        super().__init__(
            first=first, pre_norm=pre_norm, layers=layers, post_norm=post_norm, projection=projection, causal=False
        )
        self.reads_first = first == 1
        self.stem = stem
        self.grid = grid
        self.side = side

    def embed(self, pixels: Tensor) -> Tensor:
        """Prepared pixels (batch, 3, side, side) -> tokens (batch, first + grid * grid, width), before ``pre_norm``."""
        tokens: Tensor = self.stem(pixels)
        return tokens

    def run(self, tokens: Tensor, adaptation: Adaptation | None = None, keep: Collection[int] = ()) -> Run:
        """Tokens of ``embed`` through all layers; ``keep``: the layers whose input tokens to return."""
        adaptation = adaptation or Adaptation()
        state, kept = self._run_layers(tokens, adaptation, keep)
        return Run(self.read(state.plain, adaptation.norms), kept)

    def read(self, tokens: Tensor, norms: Norms | None = None) -> Tensor:
        """Tokens (batch, n, width) from the last layer, without prompts -> embeddings (batch, size), not normalised."""
        return self.project(tokens[:, 0] if self.reads_first else tokens, norms)

    def forward(self, pixels: Tensor, adaptation: Adaptation | None = None) -> Tensor:
        """Prepared pixels (batch, 3, side, side) -> embeddings (batch, size), not normalised."""
        return self.run(self.embed(pixels), adaptation).embedding


class TextTower(Tower):
    """Token ids -> layers under a causal mask -> an embedding read from EOS.

    Prompts do not shift the positions of words. ``context``: the longest text in tokens, SOS and EOS included.
    ``padding``: the token that fills every text up to ``context``, in a tower without SOS and without a mask; its
    embedding is read from the last token.
    """

    def __init__(
        self,
        *,
        words: nn.Embedding,
        positions: nn.Embedding,
        layers: list[Layer],
        post_norm: nn.Module,
        projection: nn.Linear,
        padding: int | None = None,
    ) -> None:
        causal = padding is None
        super().__init__(
            first=int(causal), pre_norm=None, layers=layers, post_norm=post_norm, projection=projection, causal=causal
        )
        self.padding = padding
        self.words = words
        self.positions = positions
        self.context: int = positions.num_embeddings

    def embed(self, ids: Tensor) -> Tensor:
        """Token ids (batch, n) -> tokens (batch, n, width) with positions; ``words(ids)`` gives them without."""
        if ids.shape[1] > self.context:
            raise ValueError(f"a text of {ids.shape[1]} tokens does not fit into {self.context}")
        if self.padding is not None and ids.shape[1] < self.context:
            raise ValueError(f"texts must be padded to {self.context} tokens: use Backbone.tokens")
        tokens: Tensor = self.words(ids) + self.positions.weight[: ids.shape[1]]
        return tokens

    def run(
        self, tokens: Tensor, ends: Tensor, adaptation: Adaptation | None = None, keep: Collection[int] = ()
    ) -> Run:
        """Tokens of ``embed`` through all layers; ``ends`` (batch,): where each text's EOS is, prompts not counted."""
        adaptation = adaptation or Adaptation()
        if adaptation.prompts and adaptation.place != "after_first":
            raise ValueError("text prompts must come after the first token: EOS would not see them at the end")
        state, kept = self._run_layers(tokens, adaptation, keep)
        if self.padding is not None:
            return Run(self.project(state.tokens[:, -1], adaptation.norms), kept)
        rows = torch.arange(ends.shape[0], device=ends.device)  # a tracer sees a shape, but not a len()
        return Run(self.project(state.tokens[rows, ends + state.count], adaptation.norms), kept)

    def forward(self, ids: Tensor, ends: Tensor, adaptation: Adaptation | None = None) -> Tensor:
        """Token ids (batch, n) and where EOS is (batch,) -> embeddings (batch, size), not normalised."""
        return self.run(self.embed(ids), ends, adaptation).embedding
