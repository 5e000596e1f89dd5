"""Store weights in 8 bits: a quarter of the size. They are converted back to fp32 when the graph is loaded."""

import numpy as np
import onnx
from onnx import numpy_helper

from sketchseek.engine.convert.graph import output_axes, step_sizes, steps_of

_MIN_SIZE = 2048  # smaller tensors stay as they are


def store_in_8_bits(graph: bytes) -> bytes:
    """The same graph, its matrices rounded to 255 steps, whose size is set per output, or per row of a table."""
    model = onnx.load_from_string(graph)
    axes = output_axes(model.graph)
    kept, fresh = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.name not in axes or values.dtype != np.float32 or values.size < _MIN_SIZE:
            kept.append(tensor)
            continue
        sizes = step_sizes(values, axes[tensor.name])
        steps = steps_of(values, sizes)
        names = [f"{tensor.name}.{part}" for part in ("steps", "size", "float")]
        kept += [numpy_helper.from_array(steps, names[0]), numpy_helper.from_array(sizes, names[1])]
        # These nodes depend on constants only, so onnxruntime computes them once, when it loads the graph.
        fresh.append(onnx.helper.make_node("Cast", [names[0]], [names[2]], to=onnx.TensorProto.FLOAT))
        fresh.append(onnx.helper.make_node("Mul", [names[2], names[1]], [tensor.name]))
    nodes = [*fresh, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    shrunk: bytes = model.SerializeToString()
    return shrunk
