"""Graphs whose weights lie in a file beside them, and files of weights, right and forged: python -m prints sums."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from sketchseek.engine.sessions import OrtSession
from sketchseek.engine.weights import SharedWeights
from sketchseek.errors import SketchseekError

FILE = "w.safetensors"
NUMBERS = np.arange(4, dtype=np.float32)


def beside(
    location: str = FILE, *, kind: int = TensorProto.FLOAT, shape: tuple[int, ...] = (4,), **entries: str
) -> bytes:
    """A graph that adds up a tensor "a" that lies in another file."""
    tensor = TensorProto(name="a", data_type=kind, dims=shape, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    nodes = [helper.make_node("Cast", ["a"], ["floats"], to=1), helper.make_node("ReduceSum", ["floats"], ["vectors"])]
    made = helper.make_graph(nodes, "g", [], [helper.make_tensor_value_info("vectors", 1, None)], [tensor])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def file_of(table: Any, data: bytes = NUMBERS.tobytes()) -> SharedWeights:
    """A file of tensors with this header, right or not."""
    head = table if isinstance(table, bytes) else json.dumps(table).encode()
    return SharedWeights(FILE, np.frombuffer(len(head).to_bytes(8, "little") + head + data, np.uint8))


def facts(dtype: Any = "F32", shape: Any = (4,), data_offsets: Any = (0, 16)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": data_offsets}


def total(graph: bytes, weights: SharedWeights) -> float:
    (found,) = OrtSession(graph, "CPU", 1, weights)({}, ["vectors"])
    return float(found.sum())


def every_disagreement() -> Iterator[tuple[bytes, SharedWeights]]:
    """Graphs and files that do not say the same about a tensor."""
    files = [
        {"a": facts(kind, shape, end)}
        for kind, shape, end in (
            ("F32", (4,), (0, 16)), ("F32", (2,), (0, 8)), ("F32", (2, 2), (0, 16)), ("F32", (), (4, 8)),
            ("F32", (0,), (0, 0)), ("F16", (8,), (0, 16)), ("I8", (16,), (0, 16)), ("I64", (2,), (0, 16)),
            ("BOOL", (4,), (3, 7)), ("F32", (3,), (1, 13)),
        )
    ]  # fmt: skip
    files += [{"a": facts(), "b": facts("I8", (16,), (0, 16))}]  # overlapping
    for table in files:
        for kind in (TensorProto.FLOAT, TensorProto.INT8, TensorProto.INT64):
            for shape in ((4,), (1_000_000,), (), (2**40,)):
                yield beside(kind=kind, shape=shape, offset="0", length="16"), file_of(table)
    for offset in ("0", "16", "-1", "99999999999", str(2**63), str(2**64), "x", ""):
        for length in ("16", "-1", str(2**70)):
            yield beside(offset=offset, length=length), file_of({"a": facts()})


if __name__ == "__main__":
    for graph, weights in every_disagreement():
        try:
            print(total(graph, weights))
        except SketchseekError as error:
            assert "\n" not in str(error), error
    print("done")
