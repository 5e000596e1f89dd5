"""Store the weights of several graphs in one file, each once, in 16 bits.

The graphs of photos and of sketches differ in a few trained numbers; the rest is the backbone's.
"""

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from sketchseek.engine.convert.graph import IR_VERSION, external_tensor, halved
from sketchseek.engine.weights import WeightFile

_MIN_SIZE = 2048  # smaller tensors stay in their graphs


def share_weights(graphs: Mapping[str, bytes], file: str) -> tuple[dict[str, bytes], WeightFile]:
    """The graphs without their large tensors, and the file of these, whose name is ``file``."""
    models = {name: onnx.load_from_string(graph) for name, graph in graphs.items()}
    weights = WeightFile(file)
    moved = {name: _moved(model.graph, weights) for name, model in models.items()}
    places = weights.places()
    for name, model in models.items():
        for key in sorted(moved[name]):
            kind, shape = weights.facts(key)
            stored = helper.np_dtype_to_tensor_dtype(kind)
            model.graph.initializer.append(external_tensor(key, stored, shape, file, places[key]))
        model.ir_version = max(model.ir_version, IR_VERSION)
    return {name: bytes(model.SerializeToString()) for name, model in models.items()}, weights


def _moved(graph: Any, weights: WeightFile) -> set[str]:
    """Move the large tensors of a graph into a file; their names in it."""
    kept, nodes, moved = [], [], set()
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _MIN_SIZE:
            kept.append(tensor)
            continue
        key = f"w{hashlib.sha256(repr(values.shape).encode() + values.tobytes()).hexdigest()[:24]}"
        if values.ndim > 1:
            weights.add(key, np.float16, values.shape, partial(halved, values))
            nodes.append(helper.make_node("Cast", [key], [tensor.name], to=onnx.TensorProto.FLOAT))
        else:
            weights.add(key, np.float32, values.shape, partial(np.asarray, values))
            nodes.append(helper.make_node("Identity", [key], [tensor.name]))
        moved.add(key)
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    return moved
