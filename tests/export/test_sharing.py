"""The weights of photos and sketches are stored once."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sketchseek.engine.sessions import OrtSession
from sketchseek.engine.weights import SharedWeights
from sketchseek.export.sharing import share_weights

RNG = np.random.default_rng(0)
COMMON = RNG.normal(size=(64, 64)).astype(np.float32)


def graph(own: float) -> bytes:
    """x (n, 64) -> x @ common * own, where ``own`` is a vector of 64 numbers."""
    constants = {"common": COMMON, "own": np.full(64, own, np.float32)}
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    nodes = [helper.make_node("MatMul", ["x", "common"], ["y"]), helper.make_node("Mul", ["y", "own"], ["vectors"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 64]) for name in ("x", "vectors")]
    made = helper.make_graph(nodes, "twin", ends[:1], ends[1:], tensors)
    return bytes(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())


def test_two_graphs_share_a_matrix_and_keep_what_is_their_own(tmp_path: Path) -> None:
    graphs, weights = share_weights({"photo": graph(1), "sketch": graph(2)}, "both.safetensors")
    facts = weights.write(tmp_path)
    assert 64 * 64 * 2 < facts.size < 64 * 64 * 2 + 500
    assert (tmp_path / "both.safetensors").stat().st_size == facts.size
    assert all(len(data) < 2000 for data in graphs.values())
    shared = SharedWeights("both.safetensors", np.fromfile(tmp_path / "both.safetensors", np.uint8))
    x = RNG.normal(size=(3, 64)).astype(np.float32)
    for name, own in (("photo", 1), ("sketch", 2)):
        (found,) = OrtSession(graphs[name], "CPU", 1, shared)({"x": x}, ["vectors"])
        np.testing.assert_allclose(found, x @ COMMON.astype(np.float16).astype(np.float32) * own, rtol=1e-4, atol=1e-4)


def test_any_reader_of_onnx_and_safetensors_reads_the_files(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    graphs, weights = share_weights({"photo": graph(1)}, "both.safetensors")
    weights.write(tmp_path)
    (matrix,) = (tensor for tensor in load_file(tmp_path / "both.safetensors").values() if tensor.ndim == 2)
    np.testing.assert_array_equal(matrix, COMMON.astype(np.float16))
    (tmp_path / "photo.onnx").write_bytes(graphs["photo"])
    onnx.checker.check_model(str(tmp_path / "photo.onnx"))
    loaded = {
        tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(tmp_path / "photo.onnx").graph.initializer
    }
    np.testing.assert_array_equal(next(value for value in loaded.values() if value.ndim == 2), matrix)
