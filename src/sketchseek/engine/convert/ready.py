"""Ready-made ONNX files (immich's, rclip's, those of onnx-community) -> our graphs around theirs.

Their picture graphs take prepared floats (n, 3, side, side), their text graphs token numbers (n, context); some are
made for one row at a time.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.engine.convert.checkpoint import ConvertError, missing_package
from sketchseek.engine.convert.source import PICTURES, TEXTS, Description, Source
from sketchseek.engine.convert.texts import tokenizer_json, tokenizer_of_merges
from sketchseek.engine.folder import MAX_FILE, FileFacts, Precision
from sketchseek.engine.weights import TYPES, WeightFile
from sketchseek.errors import SketchseekError
from sketchseek.hub.files import read_json
from sketchseek.hub.tokenizers import Cleaning, padding_token, siglip_cleaning
from sketchseek.pictures import Preprocessing
from sketchseek.pictures.published import published_preprocessing
from sketchseek.untrusted import read_bounded

Settings = Mapping[str, Any]
MERGES = "bpe_simple_vocab_16e6.txt.gz"
_VARIANTS = ("", "_fp16", "_int8", "_quantized")  # of the files of onnx-community, the best first
_IDS = ("text", "input", "input_ids")
_VECTORS = ("image_embeds", "text_embeds", "embedding", "output", "pooler_output")
_OPSETS = range(13, 24)  # whose operators onnxruntime knows, and with which our nodes can be mixed
_SMALLEST = 2048  # numbers of a tensor that is worth sharing
_TEMPERATURE = 0.01  # of CLIP; these files state none


@dataclass(frozen=True, kw_only=True)
class Ready:
    """Files of a ready-made model. ``merges``: the tokenizer is a list of merges."""

    pictures: Path
    texts: Path
    tokenizer: Path
    merges: bool = False
    processor: Path | None = None  # a preprocessor_config.json
    open_clip: Path | None = None  # a preprocess_cfg.json
    config: Path | None = None


def find_ready(source: Path) -> Ready | None:
    """The ready-made ONNX files in a folder; None if it has none, or weights as well."""
    if not source.is_dir() or any(source.glob("*.safetensors")):
        return None
    if (source / "visual" / "model.onnx").is_file():
        textual = source / "textual"
        return Ready(
            pictures=source / "visual" / "model.onnx",
            texts=textual / "model.onnx",
            tokenizer=textual / "tokenizer.json",
            open_clip=source / "visual" / "preprocess_cfg.json",
            config=source / "config.json",
        )
    for variant in _VARIANTS:
        if (pictures := source / "onnx" / f"vision_model{variant}.onnx").is_file():
            return Ready(
                pictures=pictures,
                texts=source / "onnx" / f"text_model{variant}.onnx",
                tokenizer=source / "tokenizer.json",
                processor=source / "preprocessor_config.json",
                config=source / "config.json",
            )
    for pictures in sorted((source / "visual.onnx", *source.glob("*/visual.onnx"))):
        if pictures.is_file():
            places = (pictures.parent, source, source / "tokenizer", source.parent / "tokenizer")
            merges = next((place / MERGES for place in places if (place / MERGES).is_file()), source / MERGES)
            return Ready(pictures=pictures, texts=pictures.parent / "textual.onnx", tokenizer=merges, merges=True)
    return None


def ready_made(files: Ready) -> Source:
    """What a conversion of ready-made files needs to know."""
    for path in (files.pictures, files.texts, files.tokenizer, files.processor, files.open_clip, files.config):
        if path is not None and not path.is_file():
            raise ConvertError(f"{path} is missing: download the whole model again")
    settings = read_json(files.config) if files.config else {}
    settings = settings.get("model_cfg", settings)
    picture, text = _Part(files.pictures), _Part(files.texts)
    side = picture.dimension(3) or _size_in(files)
    siglip = str(settings.get("model_type", "")).startswith("siglip")
    written = settings.get("text_cfg") or settings.get("text_config") or {}
    context = text.dimension(1) or written.get("context_length") or written.get("max_position_embeddings")
    size = picture.vector_size or settings.get("embed_dim") or settings.get("projection_dim")
    for value, what in ((side, "pixels a side"), (context or (64 if siglip else 77), "tokens"), (size, "numbers")):
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 2**16:
            raise ConvertError(f"{files.pictures.parent} does not say how many {what} its graphs take or give")
    context = context or (64 if siglip else 77)
    photos, sketches = _preprocessing(files, side)
    return Source(
        description=Description(family="onnx", side=side, text="padded"),
        size=size,
        grid=1,
        context=context,
        temperature=_TEMPERATURE,
        photos=photos,
        sketches=sketches,
        tokenizer=_tokenizer(files, siglip, written, context),
        graphs={"photo": "photo.onnx", "sketch": "photo.onnx", "text": "text.onnx"},
        weights={"photo.onnx": PICTURES, "text.onnx": TEXTS},
        write=partial(_write, files, photos, context, 0 if files.merges else padding_token(files.tokenizer) or 0, size),
        ours=False,
    )


def _size_in(files: Ready) -> Any:
    if files.open_clip is not None:
        size = read_json(files.open_clip).get("size")
        return size[0] if isinstance(size, list) and size else size
    stated = read_json(files.processor) if files.processor is not None else {}
    size = stated.get("crop_size") or stated.get("size")
    return size.get("height", size.get("shortest_edge")) if isinstance(size, dict) else size


def _preprocessing(files: Ready, side: int) -> tuple[Preprocessing, Preprocessing]:
    try:
        return published_preprocessing(
            side,
            processor=read_json(files.processor) if files.processor else None,
            open_clip=read_json(files.open_clip) if files.open_clip else None,
        )
    except SketchseekError as error:
        raise ConvertError(f"{files.processor or files.open_clip}: {error}") from None


def _tokenizer(files: Ready, siglip: bool, written: Settings, context: int) -> bytes:
    if files.merges:
        return tokenizer_of_merges(files.tokenizer)
    cleaning: Cleaning = siglip_cleaning(files.tokenizer) if siglip else "as they are"
    if (written.get("tokenizer_kwargs") or {}).get("clean") == "canonicalize":
        cleaning = "canonical"
    return tokenizer_json(files.tokenizer, cleaning=cleaning, context=context, vocabulary=None)


class _Part:
    """A graph of others: its one input of pixels or token numbers, and its output of vectors."""

    def __init__(self, path: Path) -> None:
        try:
            import onnx
        except ImportError as error:
            raise missing_package(error) from None
        self.path = path
        try:
            self.model = onnx.load_model_from_string(read_bounded(path, MAX_FILE))
        except OSError as error:
            raise ConvertError(f"{path} cannot be read: {error.strerror}") from None
        except Exception:  # protobuf has error classes of its own
            raise ConvertError(f"{path} is not an ONNX file: download it again") from None
        known = {tensor.name for tensor in self.model.graph.initializer}
        self.inputs = {one.name: one for one in self.model.graph.input if one.name not in known}
        outputs = {one.name: one for one in self.model.graph.output}
        self.output = next(
            (name for name in (*_VECTORS, *(outputs if len(outputs) == 1 else ())) if name in outputs), ""
        )
        self.opsets = {one.domain: one.version for one in self.model.opset_import}
        if not self.inputs or not self.output:
            raise ConvertError(f"{path} has no output of vectors among {', '.join(outputs)[:100]}")
        if self.opsets.get("", 0) not in _OPSETS:
            raise ConvertError(
                f"{path} is written for opset {self.opsets.get('', 0)}; {_OPSETS[0]} to {_OPSETS[-1]} are supported"
            )
        self.vector_size = self._dimension(outputs[self.output], 1)
        self.main = next(iter(self.inputs.values()))

    def dimension(self, axis: int) -> int | None:
        """The length of an axis of the first input; None if it is free."""
        return self._dimension(self.main, axis)

    def _dimension(self, value: Any, axis: int) -> int | None:
        shape = value.type.tensor_type.shape.dim
        return shape[axis].dim_value or None if axis < len(shape) else None


def _write(
    files: Ready, photos: Preprocessing, context: int, padding: int, size: int, folder: Path, precision: Precision
) -> dict[str, FileFacts]:
    def texts(weights: WeightFile) -> Any:
        return _texts(_Part(files.texts), context, padding, size, weights, precision)

    def pictures(weights: WeightFile) -> Any:
        return _pictures(_Part(files.pictures), photos, size, weights, precision)

    # One after the other: both hold their weights in memory.
    return _written(folder, "photo.onnx", PICTURES, pictures) | _written(folder, "text.onnx", TEXTS, texts)


def _written(folder: Path, name: str, file: str, build: Callable[[WeightFile], Any]) -> dict[str, FileFacts]:
    weights = WeightFile(file)
    graph = build(weights)
    facts = {file: weights.write(folder)}
    data = graph.serialized()
    (folder / name).write_bytes(data)
    return facts | {name: FileFacts.of(data)}


def _pictures(part: _Part, record: Preprocessing, size: int, weights: Any, precision: Precision) -> Any:
    from sketchseek.engine.convert.graph import Graph
    from sketchseek.engine.convert.towers import unit

    graph = Graph(weights, precision, part.opsets)
    pixels = graph.input("pixels", np.uint8, ["n", record.size, record.size, 3])
    std, mean = np.array(record.std, np.float32), np.array(record.mean, np.float32)
    values = graph.node("Mul", graph.node("Cast", pixels, to=1), graph.constant(np.float32(1 / 255) / std))
    values = graph.node("Sub", values, graph.constant(mean / std))
    values = graph.node("Transpose", values, perm=[0, 3, 1, 2])
    if len(part.inputs) != 1:
        raise ConvertError(f"{part.path} takes {', '.join(part.inputs)[:100]}; one input of pixels is supported")
    vectors = _spliced(graph, part, {part.main.name: values})
    graph.output("vectors", unit(graph, vectors), ["n", size])
    return graph


def _texts(part: _Part, context: int, padding: int, size: int, weights: Any, precision: Precision) -> Any:
    from sketchseek.engine.convert.graph import Graph
    from sketchseek.engine.convert.towers import padded, unit

    graph = Graph(weights, precision, part.opsets)
    ids, ends = graph.input("ids", np.int64, ["n", "longest"]), graph.input("ends", np.int64, ["n"])
    last = graph.node("Unsqueeze", ends, graph.constant([1]))
    full = padded(graph, ids, last, context, padding)
    inside = graph.node("LessOrEqual", graph.constant(np.arange(context)[None]), last)
    feeds = {name: full for name in part.inputs if name in _IDS} | {
        name: inside for name in part.inputs if name == "attention_mask"
    }
    if feeds.keys() != part.inputs.keys() or full not in feeds.values():
        raise ConvertError(f"{part.path} takes {', '.join(part.inputs)[:100]}; token numbers and a mask are supported")
    vectors = _spliced(graph, part, feeds)
    graph.output("vectors", unit(graph, vectors), ["n", size])
    return graph


def _spliced(graph: Any, part: _Part, feeds: Mapping[str, str]) -> str:
    """Put the nodes of a part into a graph, fed with values of it; returns float32 vectors (n, size)."""
    from onnx import TensorProto, compose, helper

    from sketchseek.engine.convert.graph import output_axes

    axes, tensors = output_axes(part.model.graph), list(part.model.graph.initializer)
    del part.model.graph.initializer[:], part.model.graph.value_info[:]  # not copied with the rest
    part.model.graph.initializer.extend(TensorProto(name=tensor.name) for tensor in tensors)  # so that they get names
    model = compose.add_prefix(part.model, "their.")
    for tensor in tensors:
        _store(graph, part, tensor, axes.get(tensor.name))
    kinds = {name: part.inputs[name].type.tensor_type.elem_type for name in feeds}
    fed = {f"their.{name}": graph.node("Cast", value, to=kinds[name]) for name, value in feeds.items()}
    output = f"their.{part.output}"
    if part.dimension(0) != 1:
        nodes = [helper.make_node("Identity", [value], [name]) for name, value in fed.items()]
        graph.add([*nodes, *model.graph.node], model.functions)
        return str(graph.node("Cast", output, to=1))
    # A graph for one row runs once for each.
    first = graph.constant([0])
    rows = [helper.make_tensor_value_info(f"their.{name}.row", kind, None) for name, kind in kinds.items()]
    body = [helper.make_node("Unsqueeze", [f"{name}.row", first], [name]) for name in fed]
    body += [*model.graph.node, helper.make_node("Cast", [output], ["their.floats"], to=1)]
    body.append(helper.make_node("Squeeze", ["their.floats", first], ["their.vector"]))
    scanned = helper.make_graph(body, "row", rows, [helper.make_tensor_value_info("their.vector", 1, None)])
    graph.add([], model.functions)
    return str(graph.node("Scan", *fed.values(), num_scan_inputs=len(fed), body=scanned))


def _store(graph: Any, part: _Part, tensor: Any, per: int | None) -> None:
    """Move a tensor of a part into the file of shared weights, or keep it in the graph if it is small."""
    from onnx import helper, numpy_helper

    name, shape = f"their.{tensor.name}", tuple(tensor.dims)
    kind = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
    load = partial(_values, part, tensor)
    if math.prod(shape) < _SMALLEST or kind not in TYPES.values():
        graph.keep(numpy_helper.from_array(load(), name))
    elif kind == np.float32:
        value = graph.weight(f"{name}.stored", shape, load, per=per)
        graph.add([helper.make_node("Identity", [value], [name])])
    else:
        graph.share(name, kind, shape, load)


def _values(part: _Part, tensor: Any) -> NDArray[Any]:
    """The numbers of a tensor, also if they lie in a file beside the graph."""
    from onnx import helper, numpy_helper

    if not tensor.external_data:
        values = numpy_helper.to_array(tensor)
    else:
        place = {entry.key: entry.value for entry in tensor.external_data}
        kind, shape = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type)), tuple(tensor.dims)
        file = part.path.with_name(Path(place.get("location", "")).name or "missing")
        if file.name != place.get("location"):  # a name that contains a path could read any file
            raise ConvertError(f"{part.path} reads {place.get('location', '')[:60]!r}, which is not a file beside it")
        try:
            values = np.memmap(file, kind, "r", int(place.get("offset", 0)), shape)
        except (OSError, ValueError) as error:
            raise ConvertError(f"{file} cannot be read as {part.path.name} requires ({error})") from None
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ConvertError(f"{part.path}: {tensor.name[:60]} contains values that are not finite: download it again")
    return np.asarray(values)
