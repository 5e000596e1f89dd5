"""A method -> ONNX graphs, by tracing what torch does with pixels and with token numbers.

What does not depend on the input (prompts, the texts of seen classes, scales made of texts) becomes constants.
"""

import io
import tempfile
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from sketchseek.clip.adaptation import Adaptation, Prompted
from sketchseek.clip.texts import Texts
from sketchseek.clip.towers import LayerInput
from sketchseek.engine.folder import EngineError
from sketchseek.export.sample_inputs import TEXTS, made_pictures
from sketchseek.methods.method import Method, Modality
from sketchseek.pictures import Preprocessing

OPSET = 18


class PictureGraph(nn.Module):
    """Pixels as ``fit`` gives them -> unit vectors, and the tokens that enter the last layer."""

    def __init__(self, method: Method, modality: Modality, record: Preprocessing) -> None:
        super().__init__()
        self.method, self.modality = method, modality
        std = torch.tensor(record.std)
        # The very numbers of pictures.normalise.
        self.register_buffer("scale", (1 / 255) / std)
        self.register_buffer("shift", torch.tensor(record.mean) / std)
        self.scale: Tensor
        self.shift: Tensor

    def look(self, pixels: Tensor) -> tuple[Tensor, LayerInput]:
        """uint8 (n, side, side, 3) -> float (n, size), and what entered the last layer."""
        prepared = (pixels.float() * self.scale - self.shift).permute(0, 3, 1, 2)
        image = self.method.backbone.image
        with image.recording(image.depth - 1) as inputs:
            vectors = normalize(self.method.encode(prepared, self.modality), dim=1)
        return vectors, inputs[-1]  # a method may look twice, and then the second time decides

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 (n, side, side, 3) -> float (n, size) and (n, tokens, width)."""
        vectors, entry = self.look(pixels)
        return vectors, entry.tokens


class PatchGraph(nn.Module):
    """Tokens that enter the last layer -> a unit vector for each patch."""

    def __init__(self, method: Method, adaptation: Adaptation) -> None:
        super().__init__()
        self.method, self.adaptation = method, adaptation

    def forward(self, states: Tensor) -> Tensor:
        """float (n, tokens, width) -> (n, grid * grid, size)."""
        image = self.method.backbone.image
        prompts = states.shape[1] - 1 - image.grid**2
        left = image.run_layer(image.depth - 1, states, self.adaptation)
        plain = Prompted(left, int(prompts), self.adaptation.place).plain[:, 1:]
        whole = image.project(plain.reshape(-1, image.width), self.adaptation.norms)
        return normalize(self.method.head(whole), dim=1).view(-1, image.grid**2, self.method.size)


class TextGraph(nn.Module):
    """Token numbers and where each text ends -> unit vectors."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, ids: Tensor, ends: Tensor) -> Tensor:
        """int64 (n, longest) and (n,) -> float (n, size)."""
        with self.method.backbone.fixed_tokens(Texts(ids, ends)):
            return normalize(self.method.encode_texts([""]), dim=1)


@dataclass(frozen=True)
class Traced:
    """One graph as bytes, with the module it was traced from and the inputs it was traced with."""

    graph: bytes
    module: nn.Module
    inputs: Mapping[str, Tensor]


def trace_pictures(method: Method, modality: Modality, record: Preprocessing) -> tuple[Traced, Traced | None]:
    """The graph of photos or sketches, and that of their patches; None where the last layer depends on the picture."""
    module = PictureGraph(method, modality, record).eval()
    pixels = torch.from_numpy(made_pictures(2, record.size))
    with torch.no_grad():
        _, entry = module.look(pixels)  # also prepares what does not depend on pictures
    pictures = _trace(module, {"pixels": pixels}, {"vectors": ["n"], "states": ["n"]}, {"pixels": ["n"]})
    closer = PatchGraph(method, entry.adaptation).eval()
    if not _is_for_all(closer, module, torch.from_numpy(made_pictures(3, record.size, seed=1))):
        return pictures, None
    return pictures, _trace(closer, {"states": entry.tokens}, {"vectors": ["n"]}, {"states": ["n"]})


def _is_for_all(closer: PatchGraph, pictures: PictureGraph, pixels: Tensor) -> bool:
    """Whether other pictures adapt the last layer as those did that ``closer`` was made from."""
    with torch.no_grad():
        _, entry = pictures.look(pixels)
        own = PatchGraph(pictures.method, entry.adaptation)(entry.tokens)
        try:
            return torch.allclose(closer(entry.tokens), own, atol=1e-5)
        except RuntimeError:  # made for another number of pictures
            return False


def trace_texts(method: Method) -> Traced:
    """The graph of texts."""
    module = TextGraph(method).eval()
    words = method.backbone.tokenizer(TEXTS[:2])
    inputs = {"ids": words.ids, "ends": words.ends}
    return _trace(module, inputs, {"vectors": ["n"]}, {"ids": ["n", "longest"], "ends": ["n"]})


def _trace(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Mapping[str, Sequence[str]],
    free: Mapping[str, Sequence[str]],
) -> Traced:
    axes = {name: dict(enumerate(names)) for name, names in {**free, **outputs}.items()}
    held = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        # What tracing warns of (sizes it takes for constants) is found out by comparing at other sizes.
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                module,
                tuple(inputs.values()),
                held,  # type: ignore[arg-type]  # the tracing exporter takes a stream
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,
            )
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
            reason = " ".join(str(error).split())[:200]
            raise EngineError(f"this model cannot be written as a graph ({reason})") from None
    return Traced(simplified(held.getvalue()), module, inputs)


def simplified(graph: bytes) -> bytes:
    """The same graph with constants folded and doubles merged, in standard operators only."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 3
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        return with_padding_inside(path.read_bytes())


def with_padding_inside(graph: bytes) -> bytes:
    """The same graph with zeros around maps put there by the convolutions themselves.

    A padding of its own copies the maps, and takes them out of the order in which convolutions are quickest and back.
    """
    import onnx
    from onnx.numpy_helper import to_array

    model = onnx.load_from_string(graph)
    known = {tensor.name: tensor for tensor in model.graph.initializer}
    users = Counter(name for node in model.graph.node for name in node.input)
    makers = {node.output[0]: node for node in model.graph.node}
    for node in [node for node in model.graph.node if node.op_type == "Conv"]:
        padding = makers.get(node.input[0])
        if padding is None or padding.op_type != "Pad" or users[padding.output[0]] > 1:
            continue
        mode = {attribute.name: attribute.s for attribute in padding.attribute}.get("mode", b"constant")
        amounts = known.get(padding.input[1])
        if mode != b"constant" or amounts is None or any(padding.input[2:]):  # a value of its own is none of ours
            continue
        pads = to_array(amounts).reshape(2, -1)
        own = next((attribute for attribute in node.attribute if attribute.name == "pads"), None)
        if pads[:, :2].any() or (pads < 0).any() or (own is not None and any(own.ints)):
            continue
        if own is not None:
            node.attribute.remove(own)
        node.attribute.append(onnx.helper.make_attribute("pads", pads[:, 2:].ravel().tolist()))
        node.input[0] = padding.input[0]
        model.graph.node.remove(padding)
    read = {name for node in model.graph.node for name in node.input}
    for tensor in [tensor for tensor in model.graph.initializer if tensor.name not in read]:
        model.graph.initializer.remove(tensor)
    return bytes(model.SerializeToString())


def run_torch(traced: Traced, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """The outputs that torch gives."""
    with torch.no_grad():
        found = traced.module(*(torch.from_numpy(inputs[name]) for name in traced.inputs))
    outputs = found if isinstance(found, tuple) else (found,)
    return [np.asarray(output.numpy()) for output in outputs]
