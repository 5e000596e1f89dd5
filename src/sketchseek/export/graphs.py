"""A method -> ONNX graphs, by tracing torch on pixels and on token ids.

What does not depend on the input (prompts, the texts of seen classes, scales made from texts) becomes constants.
"""

import io
import tempfile
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from sketchseek.clip.adaptation import Adaptation, Prompted
from sketchseek.clip.lines import Lines
from sketchseek.clip.lite import LiteStem
from sketchseek.clip.texts import Texts
from sketchseek.clip.towers import LayerInput
from sketchseek.engine.folder import EngineError
from sketchseek.engine.sample_inputs import SAMPLE_TEXTS, sample_pictures
from sketchseek.methods.method import Method, Modality
from sketchseek.pictures import Preprocessing

OPSET = 18


class PictureGraph(nn.Module):
    """Pixels from ``fit`` -> unit vectors, the tokens that enter the last layer, and perhaps the maps for lines.

    Drawings need no maps, but only with the same outputs is their graph that of photos, which is stored once.
    """

    def __init__(self, method: Method, modality: Modality, record: Preprocessing) -> None:
        super().__init__()
        self.method, self.modality = method, modality
        self.lines = lines_of(method)
        std = torch.tensor(record.std)
        # The same numbers as in pictures.normalise.
        self.register_buffer("scale", (1 / 255) / std)
        self.register_buffer("shift", torch.tensor(record.mean) / std)
        self.scale: Tensor
        self.shift: Tensor

    def encode(self, pixels: Tensor) -> tuple[Tensor, LayerInput]:
        """uint8 (n, side, side, 3) -> float (n, size), and the input of the last layer."""
        image = self.method.backbone.image
        with image.recording(image.depth - 1) as inputs:
            vectors = normalize(self.method.encode(self._prepared(pixels), self.modality), dim=1)
        return vectors, inputs[-1]  # a method may run the tower twice; the second run gives the vectors

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """uint8 (n, side, side, 3) -> float (n, size), (n, tokens, width), and with lines what they are made of."""
        vectors, last_input = self.encode(pixels)
        if self.lines is None:
            return vectors, last_input.tokens
        # The stem runs once more here; ``simplified`` merges what is computed twice.
        maps = self.lines.maps(cast(LiteStem, self.method.backbone.image.stem), self._prepared(pixels))
        return vectors, last_input.tokens, maps

    def _prepared(self, pixels: Tensor) -> Tensor:
        return (pixels.float() * self.scale - self.shift).permute(0, 3, 1, 2)


def lines_of(method: Method) -> Lines | None:
    """The head of lines; None if there is none, or if the method has trained the stem that the head looks at."""
    trained = {id(parameter) for group in method.groups() for parameter in group.parameters}
    stem = method.backbone.image.stem
    return None if any(id(parameter) in trained for parameter in stem.parameters()) else method.backbone.lines


class PatchGraph(nn.Module):
    """Tokens that enter the last layer -> a unit vector for each patch."""

    def __init__(self, method: Method, adaptation: Adaptation) -> None:
        super().__init__()
        self.method, self.adaptation = method, adaptation

    def forward(self, states: Tensor) -> Tensor:
        """float (n, tokens, width) -> (n, grid * grid, size)."""
        image = self.method.backbone.image
        prompts = states.shape[1] - image.first - image.grid**2
        outputs = image.run_layer(image.depth - 1, states, self.adaptation)
        patches = Prompted(outputs, int(prompts), self.adaptation.place, image.first).plain[:, image.first :]
        embeddings = image.read(patches.reshape(-1, 1, image.width), self.adaptation.norms)  # each one alone
        return normalize(self.method.head(embeddings), dim=1).view(-1, image.grid**2, self.method.size)


class TextGraph(nn.Module):
    """Token ids and the position of each EOS -> unit vectors."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, ids: Tensor, ends: Tensor) -> Tensor:
        """int64 (n, longest) and (n,) -> float (n, size)."""
        with self.method.backbone.fixed_tokens(Texts(ids, ends)):
            return normalize(self.method.encode_texts([""]), dim=1)


@dataclass(frozen=True)
class Traced:
    """A graph as bytes, with the module and the inputs of the trace."""

    graph: bytes
    module: nn.Module
    inputs: Mapping[str, Tensor]


def trace_pictures(method: Method, modality: Modality, record: Preprocessing) -> tuple[Traced, Traced | None]:
    """The graph of photos or sketches, and that of their patches: None if the last layer depends on the picture."""
    module = PictureGraph(method, modality, record).eval()
    pixels = torch.from_numpy(sample_pictures(2, record.size))
    with torch.no_grad():
        _, last_input = module.encode(pixels)  # also prepares what does not depend on pictures
    outputs = {"vectors": ["n"], "states": ["n"]} | ({} if module.lines is None else {"maps": ["n"]})
    pictures = _trace(module, {"pixels": pixels}, outputs, {"pixels": ["n"]})
    patches = PatchGraph(method, last_input.adaptation).eval()
    if not _fits_all_pictures(patches, module, torch.from_numpy(sample_pictures(3, record.size, seed=1))):
        return pictures, None
    return pictures, _trace(patches, {"states": last_input.tokens}, {"vectors": ["n"]}, {"states": ["n"]})


def _fits_all_pictures(patches: PatchGraph, pictures: PictureGraph, pixels: Tensor) -> bool:
    """Whether the adaptation of ``patches``, taken from other pictures, also holds for ``pixels``."""
    with torch.no_grad():
        _, last_input = pictures.encode(pixels)
        own = PatchGraph(pictures.method, last_input.adaptation)(last_input.tokens)
        try:
            return torch.allclose(patches(last_input.tokens), own, atol=1e-5)
        except RuntimeError:  # made for another number of pictures
            return False


def trace_lines(method: Method, record: Preprocessing) -> Traced | None:
    """The graph of lines over photos, from the maps of their graph; None if the model has none."""
    lines = lines_of(method)
    if lines is None:
        return None
    pixels = torch.from_numpy(sample_pictures(2, record.size))
    with torch.no_grad():
        maps = PictureGraph(method, "photo", record)(pixels)[2]
    return _trace(lines.eval(), {"maps": maps}, {"lines": ["n"]}, {"maps": ["n"]})


def trace_texts(method: Method) -> Traced:
    """The graph of texts."""
    module = TextGraph(method).eval()
    tokens = method.backbone.tokenizer(SAMPLE_TEXTS[:2])
    inputs = {"ids": tokens.ids, "ends": tokens.ends}
    return _trace(module, inputs, {"vectors": ["n"]}, {"ids": ["n", "longest"], "ends": ["n"]})


def _trace(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Mapping[str, Sequence[str]],
    free: Mapping[str, Sequence[str]],
) -> Traced:
    axes = {name: dict(enumerate(names)) for name, names in {**free, **outputs}.items()}
    stream = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        # Tracing warns of sizes that become constants; check_parity finds these by comparing other sizes.
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                module,
                tuple(inputs.values()),
                stream,  # type: ignore[arg-type]  # the tracing exporter accepts a stream
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,
            )
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
            reason = " ".join(str(error).split())[:200]
            raise EngineError(f"this model cannot be exported as a graph ({reason})") from None
    return Traced(simplified(stream.getvalue()), module, inputs)


def simplified(graph: bytes) -> bytes:
    """The same graph with constants folded and duplicates merged, in standard operators only."""
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
    """The same graph, with separate padding nodes merged into their convolutions.

    A separate node copies the maps, and converts them to and from the memory layout in which convolutions are fastest.
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
        if mode != b"constant" or amounts is None or any(padding.input[2:]):  # pads with another value
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
    used = {name for node in model.graph.node for name in node.input}
    for tensor in [tensor for tensor in model.graph.initializer if tensor.name not in used]:
        model.graph.initializer.remove(tensor)
    return bytes(model.SerializeToString())


def run_torch(traced: Traced, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """The outputs of torch."""
    with torch.no_grad():
        found = traced.module(*(torch.from_numpy(inputs[name]) for name in traced.inputs))
    outputs = found if isinstance(found, tuple) else (found,)
    return [np.asarray(output.numpy()) for output in outputs]
