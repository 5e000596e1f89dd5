import numpy as np
import onnx
import onnxruntime
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import TensorProto, helper, numpy_helper

from sketchseek.engine.convert.graph import step_sizes, steps_of
from sketchseek.export.weights import store_in_8_bits


@given(arrays(np.float32, (3, 4, 5), elements=st.floats(-1000, 1000, width=32)), st.integers(0, 2))
def test_rounding_is_off_by_half_a_step_at_most(values: np.ndarray, axis: int) -> None:
    sizes = step_sizes(values, axis)
    steps = steps_of(values, sizes)
    assert steps.dtype == np.int8
    assert sizes.shape[axis] == values.shape[axis]
    assert (abs(steps * sizes - values) <= 0.501 * sizes).all()


def small_graph() -> bytes:
    """A table that is looked up, a convolution, a product, and small weights that are none of these."""
    rng = np.random.default_rng(0)
    sizes = {"table": (50, 64), "kernel": (64, 64, 3), "matrix": (64, 70), "shift": (70,)}
    weights = [numpy_helper.from_array(rng.normal(size=s).astype(np.float32), name) for name, s in sizes.items()]
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["columns"], perm=[0, 2, 1]),
        helper.make_node("Conv", ["columns", "kernel"], ["seen"], pads=[1, 1]),
        helper.make_node("Transpose", ["seen"], ["back"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["back", "matrix"], ["product"]),
        helper.make_node("Add", ["product", "shift"], ["vectors"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", "m"])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", "m", 70])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


def run(graph: bytes, ids: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["vectors"], {"ids": ids})[0])


def test_a_graph_becomes_a_quarter_and_computes_the_same() -> None:
    graph = small_graph()
    small = store_in_8_bits(graph)
    onnx.checker.check_model(onnx.load_from_string(small))
    assert len(small) < 0.35 * len(graph)
    ids = np.arange(12).reshape(3, 4)
    before, after = run(graph, ids), run(small, ids)
    cosines = (before * after).sum(-1) / np.linalg.norm(before, axis=-1) / np.linalg.norm(after, axis=-1)
    assert cosines.min() > 0.999
