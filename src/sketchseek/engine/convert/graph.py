"""Build an ONNX graph node by node; its weights lie in a file that several graphs share."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.engine.convert.checkpoint import missing_package
from sketchseek.engine.folder import FileFacts, Precision
from sketchseek.engine.weights import header_of

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    raise missing_package(error) from None

Values = NDArray[Any]
Load = Callable[[], Values]

OPSET = 20  # Gelu is an operator since 20
IR_VERSION = 10  # of the file format: onnxruntime 1.23 reads up to 11
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


class WeightFile:
    """Tensors of a file of safetensors: first they are announced, later loaded and written one at a time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._loads: dict[str, Load] = {}
        self._facts: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {}

    def add(self, name: str, kind: Any, shape: tuple[int, ...], load: Load) -> None:
        """Announce a tensor; graphs that share it announce the same name."""
        self._facts[name] = np.dtype(kind), shape
        self._loads[name] = load

    def facts(self, name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
        """Type and shape of a tensor."""
        return self._facts[name]

    def places(self) -> dict[str, tuple[int, int]]:
        """Where in the file each tensor lies: (offset, length) in bytes."""
        return header_of(self._facts)[1]

    def write(self, folder: Path) -> FileFacts:
        """Write the file."""
        first, places = header_of(self._facts)
        digest, end = hashlib.sha256(), 0
        with (folder / self.name).open("wb") as file:

            def put(data: Any) -> None:
                nonlocal end
                digest.update(data)
                end += file.write(data)

            put(first)
            for name, (kind, shape) in self._facts.items():
                values = np.ascontiguousarray(self._loads[name](), kind)
                assert values.shape == shape, f"{name}: {values.shape} is not {shape}"
                put(b"\0" * (places[name][0] - end))
                put(values.reshape(-1).view(np.uint8).data)
        return FileFacts(end, digest.hexdigest())


class Graph:
    """Nodes, constants and shared weights of one graph. Every method returns the name of a value."""

    def __init__(self, weights: WeightFile, precision: Precision, opsets: Mapping[str, int] | None = None) -> None:
        self._weights, self._precision = weights, precision
        self._opsets = opsets or {"": OPSET}
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

        ``per``: the axis along which 8 bits get step sizes of their own, one for each output or row.
        """
        if name not in self._shared:
            self._shared[name] = self._stored(name, shape, load, per)
        return self._shared[name]

    def _stored(self, name: str, shape: tuple[int, ...], load: Load, per: int | None) -> str:
        rounds = len(shape) > 1 and np.prod(shape) >= _SMALLEST
        if rounds and self._precision == "int8" and per is not None:
            return self._in_8_bits(name, shape, load, per)
        half = rounds and self._precision != "fp32"
        kind = np.float16 if half else np.float32
        self.share(name, kind, shape, (lambda: halved(load())) if half else load)
        return self.node("Cast", name, to=TensorProto.FLOAT) if half else name

    def _in_8_bits(self, name: str, shape: tuple[int, ...], load: Load, per: int) -> str:
        others = tuple(axis for axis in range(len(shape)) if axis != per % len(shape))
        sizes_shape = tuple(1 if axis in others else side for axis, side in enumerate(shape))

        def sizes() -> Values:
            return np.asarray(np.maximum(np.abs(load()).max(axis=others, keepdims=True), 1e-12) / 127, np.float32)

        def steps() -> Values:
            return np.rint(load() / sizes()).astype(np.int8)

        self.share(f"{name}.steps", np.int8, shape, steps)
        self.share(f"{name}.size", np.float32, sizes_shape, sizes)
        # These nodes depend on constants only, so onnxruntime computes them once, when it loads the graph.
        return self.node("Mul", self.node("Cast", f"{name}.steps", to=TensorProto.FLOAT), f"{name}.size")

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


def halved(values: Values) -> Values:
    """Numbers in 16 bits."""
    return np.clip(values, -_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)
