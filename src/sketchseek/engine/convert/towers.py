"""The graphs of a CLIP or SigLIP: photos, their patches, and texts.

``weights``: our names of tensors -> ``Piece``. Matrices of linear layers are (out, in) there and (in, out) in the
graphs.
"""

from collections.abc import Mapping

import numpy as np

from sketchseek.engine.convert.graph import Graph, Values
from sketchseek.engine.convert.names import Piece
from sketchseek.engine.convert.plan import Plan, Tower
from sketchseek.pictures import Preprocessing

Pieces = Mapping[str, Piece]


class Builder:
    """Adds the parts of towers to a graph."""

    def __init__(self, graph: Graph, plan: Plan, pieces: Pieces) -> None:
        self.graph, self.plan, self.pieces = graph, plan, pieces

    def photos(self, record: Preprocessing) -> None:
        """uint8 pixels (n, side, side, 3) -> ``vectors`` (n, size), ``states`` (n, tokens, width) for patches."""
        graph, plan = self.graph, self.plan
        pixels = graph.input("pixels", np.uint8, ["n", plan.side, plan.side, 3])
        tokens = self._embedded(pixels, record)
        for layer in range(plan.image.depth - 1):
            tokens = self.layer("image", layer, tokens)
        if plan.family == "clip":
            states = tokens
            vector = self._projected(self.layer("image", plan.image.depth - 1, tokens, only=self._first(tokens)))
        else:
            states = self.layer("image", plan.image.depth - 1, tokens)
            vector = self._pooled(self.norm("image.post_norm", "image", states))
        graph.output("vectors", self._unit(graph.node("Squeeze", vector, graph.constant([1]))), ["n", plan.size])
        graph.output("states", states, ["n", self._tokens, plan.image.width])

    def patches(self) -> None:
        """``states`` -> ``vectors`` (n, grid * grid, size): what the model says of each patch alone."""
        graph, plan = self.graph, self.plan
        states = graph.input("states", np.float32, ["n", self._tokens, plan.image.width])
        if plan.family == "clip":
            tokens = self.layer("image", plan.image.depth - 1, states)
            vectors = self._projected(self._slice(tokens, 1, self._tokens))
        else:
            tokens = self.norm("image.post_norm", "image", states)
            # As if the head attended to nothing but this patch.
            vectors = self._head_mlp(self.linear("image.head.out", self.linear("image.head.v", tokens)))
        graph.output("vectors", self._unit(vectors), ["n", plan.grid**2, plan.size])

    def texts(self) -> None:
        """Token numbers ``ids`` (n, longest) and ``ends`` (n,), where each text ends -> ``vectors`` (n, size)."""
        graph, plan = self.graph, self.plan
        ids = graph.input("ids", np.int64, ["n", "longest"])
        ends = graph.input("ends", np.int64, ["n"])
        last = graph.node("Unsqueeze", ends, graph.constant([1]))
        if plan.padding is not None:
            ids, last = padded(graph, ids, last, plan.context, plan.padding), graph.constant([[plan.context - 1]])
        words = graph.rows("text.words", self.pieces["text.words"].shape, self.pieces["text.words"].read, ids)
        positions = self.vector("text.positions")
        mask = None
        if plan.padding is None:
            longest = graph.node("Shape", ids, start=1, end=2)
            zero, rows = graph.constant([0]), graph.constant([0])
            positions = graph.node("Slice", positions, zero, longest, rows)
            mask = graph.constant(np.triu(np.full((plan.context, plan.context), -np.inf, np.float32), 1))
            both = graph.node("Concat", longest, longest, axis=0)
            mask = graph.node("Slice", mask, graph.constant([0, 0]), both, graph.constant([0, 1]))
        tokens = graph.node("Add", words, positions)
        for layer in range(plan.text.depth - 1):
            tokens = self.layer("text", layer, tokens, mask=mask)
        if plan.padding is None:
            # The last layer computes the token at the end only; nothing there is masked from it but padding.
            end = graph.node("Unsqueeze", last, graph.constant([1]))  # (n, 1, 1)
            ordinals = graph.node("Range", graph.constant(0), graph.node("Squeeze", longest), graph.constant(1))
            hidden = graph.node("Greater", graph.node("Unsqueeze", ordinals, graph.constant([0, 1])), end)
            hidden = graph.node("Where", hidden, graph.constant(np.float32(-np.inf)), graph.constant(np.float32(0)))
            mask = graph.node("Unsqueeze", hidden, graph.constant([1]))  # (n, 1, 1, longest)
            only = graph.node("Unsqueeze", graph.node("GatherND", tokens, last, batch_dims=1), graph.constant([1]))
        else:
            only = self._slice(tokens, plan.context - 1, plan.context)
        token = self.layer("text", plan.text.depth - 1, tokens, mask=mask, only=only)
        vector = self.linear("text.projection", self.norm("text.post_norm", "text", token))
        graph.output("vectors", self._unit(graph.node("Squeeze", vector, graph.constant([1]))), ["n", plan.size])

    @property
    def _tokens(self) -> int:
        return self.plan.grid**2 + (self.plan.family == "clip")

    def _embedded(self, pixels: str, record: Preprocessing) -> str:
        """Pixels -> the tokens that enter the first layer."""
        graph, plan, width = self.graph, self.plan, self.plan.image.width
        piece, side, grid = self.pieces["image.patch.weight"], plan.patch, plan.grid
        std, mean = np.array(record.std, np.float32), np.array(record.mean, np.float32)
        scale, shift = np.float32(1 / 255) / std, mean / std
        values = graph.node("Mul", graph.node("Cast", pixels, to=1), graph.constant(scale))
        values = graph.node("Sub", values, graph.constant(shift))
        shape = graph.constant([-1, grid, side, grid, side, 3])
        values = graph.node("Transpose", graph.node("Reshape", values, shape), perm=[0, 1, 3, 2, 4, 5])
        values = graph.node("Reshape", values, graph.constant([-1, grid * grid, side * side * 3]))

        def matrix() -> Values:  # (patch * patch * 3, width): rows of a patch, its columns, colours
            weights = piece.read()
            weights = weights if plan.flat else weights.transpose(0, 2, 3, 1)
            return np.ascontiguousarray(weights.reshape(width, -1).T)

        kernel = graph.weight("image.patch", (side * side * 3, width), matrix, per=1)
        tokens = graph.node("MatMul", values, kernel)
        if "image.patch.bias" in self.pieces:
            tokens = graph.node("Add", tokens, self.vector("image.patch.bias"))
        if plan.family == "clip":
            count = graph.node("Shape", pixels, start=0, end=1)
            first = graph.node("Reshape", self.vector("image.class"), graph.constant([1, 1, width]))
            shape = graph.node("Concat", count, graph.constant([1, width]), axis=0)
            tokens = graph.node("Concat", graph.node("Expand", first, shape), tokens, axis=1)
        tokens = graph.node("Add", tokens, self.vector("image.positions"))
        return self.norm("image.pre_norm", "image", tokens) if plan.family == "clip" else tokens

    def layer(self, tower: str, number: int, tokens: str, *, mask: str | None = None, only: str | None = None) -> str:
        """Tokens through a layer; ``only``: the one token (n, 1, width) to compute, which still sees the others."""
        name = f"{tower}.layers.{number}"
        normed = self.norm(f"{name}.norm1", tower, tokens)
        queries = normed if only is None else self.norm(f"{name}.norm1", tower, only)
        mixed = self.attention(
            self.linear(f"{name}.q", queries),
            self.linear(f"{name}.k", normed),
            self.linear(f"{name}.v", normed),
            self._tower(tower),
            mask,
        )
        states = self.graph.node("Add", tokens if only is None else only, self.linear(f"{name}.out", mixed))
        return self.graph.node("Add", states, self._mlp(name, tower, self.norm(f"{name}.norm2", tower, states)))

    def attention(self, queries: str, keys: str, values: str, tower: Tower, mask: str | None = None) -> str:
        """Softmax attention of all heads; ``mask`` is added to the scores."""
        graph, width = self.graph, tower.width // tower.heads
        shape = graph.constant([0, -1, tower.heads, width])

        def split(states: str, perm: list[int]) -> str:
            return graph.node("Transpose", graph.node("Reshape", states, shape), perm=perm)

        scaled = graph.node("Mul", split(queries, [0, 2, 1, 3]), graph.constant(np.float32(width**-0.5)))
        scores = graph.node("MatMul", scaled, split(keys, [0, 2, 3, 1]))
        if mask is not None:
            scores = graph.node("Add", scores, mask)
        mixed = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), split(values, [0, 2, 1, 3]))
        merged = graph.node("Transpose", mixed, perm=[0, 2, 1, 3])
        return graph.node("Reshape", merged, graph.constant([0, -1, tower.width]))

    def _mlp(self, name: str, tower: str, states: str) -> str:
        hidden = self.linear(f"{name}.fc1", states)
        return self.linear(f"{name}.fc2", self._activated(hidden, self._tower(tower).activation))

    def _activated(self, states: str, activation: str) -> str:
        graph = self.graph
        if activation == "quick_gelu":
            scaled = graph.node("Mul", states, graph.constant(np.float32(1.702)))
            return graph.node("Mul", states, graph.node("Sigmoid", scaled))
        return graph.node("Gelu", states, approximate="tanh" if activation == "gelu_tanh" else "none")

    def _pooled(self, tokens: str) -> str:
        """The attention pooling head of SigLIP: tokens (n, t, width) -> (n, 1, width)."""
        graph, width = self.graph, self.plan.image.width
        probe = graph.node("Reshape", self.vector("image.head.probe"), graph.constant([1, 1, width]))
        keys, values = self.linear("image.head.k", tokens), self.linear("image.head.v", tokens)
        mixed = self.attention(self.linear("image.head.q", probe), keys, values, self.plan.image)
        return self._head_mlp(self.linear("image.head.out", mixed))

    def _head_mlp(self, states: str) -> str:
        normed = self.norm("image.head.norm", "image", states)
        return self.graph.node("Add", states, self._mlp("image.head", "image", normed))

    def _projected(self, states: str) -> str:
        return self.linear("image.projection", self.norm("image.post_norm", "image", states))

    def linear(self, name: str, states: str) -> str:
        """A linear layer, with its bias if it has one."""
        piece = self.pieces[f"{name}.weight"]
        product = self.graph.product(states, name, piece.shape[::-1], lambda: piece.read().T)
        if f"{name}.bias" not in self.pieces:
            return product
        return self.graph.node("Add", product, self.vector(f"{name}.bias"))

    def norm(self, name: str, tower: str, states: str) -> str:
        """A LayerNorm."""
        scale, shift = self.vector(f"{name}.weight"), self.vector(f"{name}.bias")
        return self.graph.node("LayerNormalization", states, scale, shift, axis=-1, epsilon=self._tower(tower).epsilon)

    def vector(self, name: str) -> str:
        """A weight that is added or multiplied number by number."""
        piece = self.pieces[name]
        return self.graph.weight(name, piece.shape, piece.read)

    def _tower(self, name: str) -> Tower:
        return self.plan.image if name == "image" else self.plan.text

    def _first(self, tokens: str) -> str:
        return self._slice(tokens, 0, 1)

    def _slice(self, tokens: str, start: int, end: int) -> str:
        constant = self.graph.constant
        return self.graph.node("Slice", tokens, constant([start]), constant([end]), constant([1]))

    def _unit(self, vectors: str) -> str:
        return unit(self.graph, vectors)


# These two keep to operators as they have been since opset 13, because they also go around graphs of others.


def unit(graph: Graph, vectors: str) -> str:
    """Vectors (..., size) divided by their lengths."""
    squares = graph.node("ReduceSum", graph.node("Mul", vectors, vectors), graph.constant([-1]), keepdims=1)
    lengths = graph.node("Sqrt", graph.node("Max", squares, graph.constant(np.float32(1e-24))))
    return graph.node("Div", vectors, lengths)


def padded(graph: Graph, ids: str, ends: str, context: int, padding: int) -> str:
    """Token numbers (n, longest) -> (n, context), with ``padding`` after ``ends`` (n, 1)."""
    longest = graph.node("Slice", graph.node("Shape", ids), graph.constant([1]), graph.constant([2]))
    missing = graph.node("Sub", graph.constant([context]), longest)
    amounts = graph.node("Concat", graph.constant([0, 0, 0]), missing, axis=0)
    full = graph.node("Pad", ids, amounts, graph.constant(padding))
    inside = graph.node("LessOrEqual", graph.constant(np.arange(context)[None]), ends)
    return graph.node("Where", inside, full, graph.constant(padding))
