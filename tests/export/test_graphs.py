"""Padding moved into the convolutions changes no number, and stays where a convolution cannot do it."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array

from sketchseek.export.graphs import with_padding_inside

SHAPE = (2, 3, 9, 11)


def padded(
    pads: list[int], mode: str = "constant", value: float | None = None, *, own: list[int], twice: bool
) -> bytes:
    """A picture padded, then a convolution; ``own``: its own padding; ``twice``: the padded picture is read again."""
    rng = np.random.default_rng(0)
    held: dict[str, NDArray[Any]] = {
        "pads": np.array(pads, np.int64),
        "weight": rng.standard_normal((4, 3, 3, 3), np.float32),
    }
    inputs = ["x", "pads"]
    if value is not None:
        held["value"] = np.array(value, np.float32)
        inputs.append("value")
    own_pads: dict[str, Any] = {"pads": own} if any(own) else {}
    nodes = [
        make_node("Pad", inputs, ["wide"], mode=mode),
        make_node("Conv", ["wide", "weight"], ["y"], strides=[2, 2], **own_pads),
    ]
    outputs = [make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)]
    if twice:
        nodes.append(make_node("ReduceSum", ["wide"], ["z"], keepdims=0))
        outputs.append(make_tensor_value_info("z", onnx.TensorProto.FLOAT, None))
    graph = make_graph(
        nodes,
        "padded",
        [make_tensor_value_info("x", onnx.TensorProto.FLOAT, SHAPE)],
        outputs,
        [from_array(array, name) for name, array in held.items()],
    )
    return bytes(make_model(graph, opset_imports=[make_opsetid("", 18)], ir_version=10).SerializeToString())


def run(graph: bytes) -> list[Any]:
    x = np.random.default_rng(1).standard_normal(SHAPE, np.float32)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return list(session.run(None, {"x": x}))


@pytest.mark.parametrize(
    ("pads", "mode", "value", "own", "twice", "left"),
    [
        ([0, 0, 0, 0, 0, 0, 1, 1], "constant", None, [0] * 4, False, 0),
        ([0, 0, 1, 2, 0, 0, 2, 1], "constant", None, [0] * 4, False, 0),
        ([0, 0, 0, 0, 0, 0, 1, 1], "constant", None, [1] * 4, False, 1),  # two paddings
        ([0, 0, 1, 1, 0, 0, 1, 1], "reflect", None, [0] * 4, False, 1),
        ([0, 0, 1, 1, 0, 0, 1, 1], "constant", 3.0, [0] * 4, False, 1),
        ([0, 0, 1, 1, 0, 0, 1, 1], "constant", None, [0] * 4, True, 1),  # another node reads it
        ([1, 0, 1, 1, 0, 0, 1, 1], "constant", None, [0] * 4, False, 1),  # a picture more
        ([0, 0, -1, 0, 0, 0, 1, 1], "constant", None, [0] * 4, False, 1),  # a row less
    ],
)
def test_padding_goes_inside_where_it_can(
    pads: list[int], mode: str, value: float | None, own: list[int], twice: bool, left: int
) -> None:
    before = padded(pads, mode, value, own=own, twice=twice)
    after = with_padding_inside(before)
    assert sum(node.op_type == "Pad" for node in onnx.load_from_string(after).graph.node) == left
    for expected, found in zip(run(before), run(after), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
