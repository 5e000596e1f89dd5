"""Build an ONNX graph node by node; its weights lie in a file that several graphs share."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.engine.convert.checkpoint import missing_package
from sketchseek.engine.folder import Precision
from sketchseek.engine.weights import Load, WeightFile

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    raise missing_package(error) from None

Values = NDArray[Any]

OPSET = 20  # Gelu is an operator since 20
IR_VERSION = 10  # of the file format: onnxruntime 1.23 reads up to 11
# Numbers that share a step in a product of integers. onnxruntime's dynamic rounding has one step for all tokens: with
# it a vector depends on the other pictures of its batch, and one large number spoils all.
BLOCK = 128
_MICROSOFT = "com.microsoft"
_SMALLEST = 2048  # numbers of a matrix that is worth rounding
_LARGEST_HALF = 6e4  # larger numbers overflow in 16 bits
_TYPES: Mapping[np.dtype[Any], int] = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.float16): TensorProto.FLOAT16,
    np.dtype(np.int8): TensorProto.INT8,
    np.dtype(np.uint8): TensorProto.UINT8,
    np.dtype(np.int32): TensorProto.INT32,
    np.dtype(np.int64): TensorProto.INT64,
}


class Graph:
    """Nodes, constants and shared weights of one graph. Every method returns the name of a value."""

    def __init__(self, weights: WeightFile, precision: Precision, opsets: Mapping[str, int] | None = None) -> None:
        self._weights, self._precision = weights, precision
        self._opsets = dict(opsets or {"": OPSET})
        self._functions: list[Any] = []
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._shared: dict[str, str] = {}  # name of a weight -> the value in the graph
        self._used: list[str] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, kind: Any, shape: list[str | int]) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), shape))
        return name

    def output(self, name: str, value: str, shape: list[str | int]) -> None:
        """Give a value the name of a float32 output."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The first output of an operator."""
        name = f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def add(self, nodes: Sequence[Any], functions: Sequence[Any] = ()) -> None:
        """Add nodes of another graph, and the functions that they call."""
        self._nodes.extend(nodes)
        self._functions.extend(functions)

    def keep(self, tensor: Any) -> None:
        """Keep a tensor of another graph inside this one."""
        self._constants[tensor.name] = tensor

    def constant(self, values: Any, kind: Any = None) -> str:
        """A small constant inside the graph; equal ones are one."""
        array = np.asarray(values, kind)
        name = f"constant_{array.dtype}_{array.shape}_{hashlib.sha256(array.tobytes()).hexdigest()[:16]}"
        self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def weight(self, name: str, shape: tuple[int, ...], load: Load, *, per: int | None = None) -> str:
        """A float32 weight, stored at the precision of the model if it is a matrix.

        ``per``: the axis along which 8 bits get step sizes of their own, one for each output.
        """
        if name not in self._shared:
            # The nodes depend on constants only, so onnxruntime computes them once, when it loads the graph.
            self._shared[name] = self._floats(*self._stored(name, shape, load, per))
        return self._shared[name]

    def product(self, states: str, name: str, shape: tuple[int, ...], load: Load) -> str:
        """States (..., in) times a matrix (in, out) of the weights; with 8 bits computed in integers."""
        if self._precision != "int8" or shape[0] % BLOCK or math.prod(shape) < _SMALLEST:
            return self.node("MatMul", states, self.weight(name, shape, load, per=1))
        inside, out = shape
        self._opsets[_MICROSOFT] = 1

        def steps() -> Values:
            rows = blocks_of(load())
            whole = steps_of(rows, step_sizes(rows, 0)).view(np.uint8) ^ 128  # zero is stored as 128
            return whole.reshape(out, -1, BLOCK)

        self.share(f"{name}.steps", np.uint8, (out, inside // BLOCK, BLOCK), steps)
        sizes = (out * inside // BLOCK,)
        self.share(f"{name}.size", np.float32, sizes, lambda: step_sizes(blocks_of(load()), 0).reshape(-1))
        facts = {"K": inside, "N": out, "bits": 8, "block_size": BLOCK, "accuracy_level": 4}  # 4: integers
        return self.node("MatMulNBits", states, f"{name}.steps", f"{name}.size", domain=_MICROSOFT, **facts)

    def rows(self, name: str, shape: tuple[int, ...], load: Load, numbers: str) -> str:
        """The rows of a table with these numbers, as float32; the whole table is never made of floats."""
        parts, narrow = self._stored(name, shape, load, 0)
        return self._floats([self.node("Gather", part, numbers) for part in parts], narrow)

    def _floats(self, parts: list[str], narrow: bool) -> str:
        """A float32 value from what ``_stored`` gives."""
        floats = self.node("Cast", parts[0], to=TensorProto.FLOAT) if narrow else parts[0]
        return self.node("Mul", floats, parts[1]) if len(parts) > 1 else floats

    def _stored(self, name: str, shape: tuple[int, ...], load: Load, per: int | None) -> tuple[list[str], bool]:
        """The names under which a weight is stored: itself, or steps and their sizes; whether the first is narrow."""
        rounds = len(shape) > 1 and math.prod(shape) >= _SMALLEST
        if rounds and self._precision == "int8" and per is not None:
            return self._in_8_bits(name, shape, load, per % len(shape)), True
        half = rounds and self._precision != "fp32"
        kind = np.float16 if half else np.float32
        self.share(name, kind, shape, (lambda: halved(load())) if half else load)
        return [name], half

    def _in_8_bits(self, name: str, shape: tuple[int, ...], load: Load, axis: int) -> list[str]:
        def steps() -> Values:
            values = load()
            return steps_of(values, step_sizes(values, axis))

        names = [f"{name}.steps", f"{name}.size"]
        self.share(names[0], np.int8, shape, steps)
        sizes = tuple(side if number == axis else 1 for number, side in enumerate(shape))
        self.share(names[1], np.float32, sizes, lambda: step_sizes(load(), axis))
        return names

    def share(self, name: str, kind: Any, shape: tuple[int, ...], load: Load) -> None:
        """A weight that is stored as it is, under its own name."""
        self._weights.add(name, kind, shape, load)
        self._used.append(name)

    def serialized(self) -> bytes:
        """The graph as the content of a file, once all weights of its file are announced."""
        places = self._weights.places()
        tensors = [*self._constants.values()]
        for name in self._used:
            kind, shape = self._weights.facts(name)
            tensors.append(external_tensor(name, _TYPES[kind], shape, self._weights.name, places[name]))
        graph = helper.make_graph(self._nodes, "sketchseek", self._inputs, self._outputs, tensors)
        opsets = [helper.make_opsetid(domain, version) for domain, version in self._opsets.items()]
        model = helper.make_model(
            graph,
            opset_imports=opsets,
            ir_version=IR_VERSION,
            producer_name="sketchseek",
            functions=self._functions,
        )
        return bytes(model.SerializeToString())


def output_axes(graph: Any) -> dict[str, int]:
    """Weight -> the axis along which each slice makes one output (or is one row of a table)."""
    axes: dict[str, int] = {}
    for node in graph.node:
        if node.op_type == "Conv":
            axes[node.input[1]] = 0
        elif node.op_type == "MatMul":
            axes[node.input[1]] = 1
        elif node.op_type == "Gemm":
            transposed = any(one.name == "transB" and one.i for one in node.attribute)
            axes[node.input[1]] = 0 if transposed else 1
        elif node.op_type == "Gather":
            axes[node.input[0]] = 0
    return axes


def external_tensor(name: str, kind: int, shape: tuple[int, ...], file: str, place: tuple[int, int]) -> Any:
    """A tensor whose numbers lie in a file; ``place``: (offset, length) in bytes."""
    tensor = onnx.TensorProto(name=name, data_type=kind, dims=shape, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", file), ("offset", str(place[0])), ("length", str(place[1]))):
        tensor.external_data.add(key=key, value=value)
    return tensor


# Matrices are rounded some rows at a time: a table of words can be half of a model.
_ROWS = 1024


def _rows(values: Values) -> Iterator[slice]:
    return (slice(start, start + _ROWS) for start in range(0, len(values), _ROWS))


def halved(values: Values) -> Values:
    """Numbers in 16 bits."""
    found = np.empty(values.shape, np.float16)
    for rows in _rows(values):
        found[rows] = np.clip(values[rows], -_LARGEST_HALF, _LARGEST_HALF)
    return found


def blocks_of(matrix: Values) -> Values:
    """A matrix (in, out) -> the blocks of its columns, one a row."""
    return np.ascontiguousarray(matrix.T).reshape(-1, BLOCK)


def step_sizes(values: Values, axis: int) -> NDArray[np.float32]:
    """The size of a step of 8 bits, for each index along ``axis``; the other axes have length 1."""
    others = tuple(number for number in range(values.ndim) if number != axis)
    largest = np.maximum(values.max(axis=others, keepdims=True), -values.min(axis=others, keepdims=True))
    return np.asarray(np.maximum(largest, 1e-12) / 127, np.float32)


def steps_of(values: Values, sizes: NDArray[np.float32]) -> NDArray[np.int8]:
    """Integers from -127 to 127 whose products with step sizes approximate ``values``."""
    found = np.empty(values.shape, np.int8)
    for rows in _rows(values):
        found[rows] = np.rint(values[rows] / (sizes[rows] if len(sizes) > 1 else sizes))
    return found
