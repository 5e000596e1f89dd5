"""The whole export: trace, compare with torch, write the folder, open it. A failed export leaves nothing behind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek import outlines
from sketchseek.engine.card import model_card
from sketchseek.engine.convert.source import PICTURES, TEXTS
from sketchseek.engine.encoder import Encoder, load
from sketchseek.engine.folder import (
    CARD,
    GOLDEN,
    TOKENIZER,
    EngineError,
    FileFacts,
    Precision,
    Record,
    Role,
    temporary_folder,
    write_record,
)
from sketchseek.engine.golden import write_golden
from sketchseek.engine.sample_inputs import SAMPLE_TEXTS, sample_pictures
from sketchseek.engine.sessions import OrtSession
from sketchseek.engine.weights import SharedWeights
from sketchseek.evaluation.vectors.category import Category
from sketchseek.export.card import figures
from sketchseek.export.graphs import Traced, trace_lines, trace_pictures, trace_texts
from sketchseek.export.measure import cosine_of_lines, draw_lines
from sketchseek.export.parity import check_parity, text_inputs
from sketchseek.export.pictures import MeasuredPictures, read_pictures
from sketchseek.export.rounding import round_pictures
from sketchseek.export.sharing import share_weights
from sketchseek.export.source import Source, open_source
from sketchseek.export.weights import store_in_8_bits
from sketchseek.methods.method import Method

Graphs = dict[Role, bytes]
_FILES: Mapping[Role, str] = {
    "photo": "photo.onnx",
    "sketch": "sketch.onnx",
    "text": "text.onnx",
    "photo_patches": "patches.onnx",
    "sketch_patches": "sketch_patches.onnx",
    "lines": "lines.onnx",
}
LINES_SAMPLE, LEAST_LINES = 64, 0.95  # photos whose lines are compared before and after rounding; mean cosine
_TWIN: Mapping[Role, Role] = {"sketch": "photo", "sketch_patches": "photo_patches"}


def export(
    source: str | Path,
    out: str | Path,
    *,
    int8: bool = False,
    data: str | Path | None = None,
    trust_pickle: bool = False,
    category: Category | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Encoder:
    """Write the run or the backbone ``source`` as the model folder ``out``, and open it.

    ``int8``: store weights in 8 bits, and compute pictures with integers where that costs little accuracy on the
    ``val`` classes of the dataset ``data``. ``category``: what to adapt a run to that encodes one category at a time.
    ``report`` is called with the name of each step.
    """
    target = Path(out).expanduser()
    if target.exists():
        raise EngineError(f"{target} already exists: name a new folder with --out, or remove that one first")
    if int8 and data is None:
        raise EngineError("int8 requires pictures to measure ranges and accuracy on: name a dataset with --data")
    if data is not None and not int8:
        raise EngineError("a dataset is only needed to measure the cost of rounding: omit --data, or add --int8")
    opened = open_source(source, trust_pickle=trust_pickle, category=category)
    method = opened.method
    pictures = None
    if data is not None:
        report("reading pictures")
        pictures = read_pictures(Path(data), method.backbone)
    report("writing graphs and comparing them with torch")
    graphs, cosine = traced(method)
    measured: dict[str, Any] = {"parity": round(cosine, 7)}
    if pictures is not None:
        report("rounding, and measuring the loss of accuracy")
        graphs, measured["rounding"] = _rounded(graphs, pictures)
        measured["data"] = {
            "name": pictures.dataset,
            "classes": len(pictures.class_names),
            "photos": len(pictures.photos),
            "sketches": len(pictures.sketches),
        }
    with temporary_folder(target) as folder:
        described = _Described(target.name, opened, "int8" if int8 else "fp16", measured)
        _write(folder, described, graphs)
        load(folder, provider="CPU").verify()
    return load(target)


def _rounded(graphs: Graphs, pictures: MeasuredPictures) -> tuple[Graphs, dict[str, Any]]:
    found = round_pictures((graphs["photo"], graphs["sketch"]), pictures)
    photo, sketch = found.graphs
    others = {role: store_in_8_bits(graphs[role]) for role in graphs if role not in ("photo", "sketch")}
    cost: dict[str, Any] = {
        "whole": str(found.choice),
        "map@all": {"fp32": round(found.before, 2), "int8": round(found.after, 2)},
    }
    rounded: Graphs = {"photo": photo, "sketch": sketch, **others}
    if "lines" in graphs:
        sample = pictures.photos[:LINES_SAMPLE]
        cosine = cosine_of_lines(draw_lines(graphs, sample), draw_lines(rounded, sample))
        if not cosine >= LEAST_LINES:
            raise EngineError(
                f"rounding to 8 bits changes where lines are drawn over photos (mean cosine {cosine:.3f}, "
                f"{LEAST_LINES} is required): export without int8"
            )
        cost["lines"] = round(cosine, 4)
    return rounded, cost


@dataclass(frozen=True)
class _Described:
    """What the record of a folder holds beside its graphs."""

    name: str
    source: Source
    precision: Precision
    measured: Mapping[str, Any]


def traced(method: Method) -> tuple[Graphs, float]:
    """The graphs by role, and their lowest cosine with torch."""
    backbone = method.backbone
    photo, photo_patches = trace_pictures(method, "photo", backbone.photos)
    sketch, sketch_patches = trace_pictures(method, "sketch", backbone.sketches)
    roles: dict[Role, Traced] = {
        "photo": photo,
        "sketch": sketch,
        "text": trace_texts(method),
    }
    if photo_patches is not None and sketch_patches is not None:
        roles |= {"photo_patches": photo_patches, "sketch_patches": sketch_patches}
    if (lines := trace_lines(method, backbone.photos)) is not None:
        roles["lines"] = lines
    cosine = check_parity(roles, backbone)
    return {role: traced.graph for role, traced in roles.items()}, cosine


def _write(folder: Path, described: _Described, graphs: Graphs) -> None:
    method = described.source.method
    backbone = method.backbone
    names: dict[Role, str] = {}
    for role, graph in graphs.items():
        twin = _TWIN.get(role)
        # Photos and sketches often have the same graph.
        names[role] = names[twin] if twin is not None and graphs[twin] == graph else _FILES[role]
    facts: dict[str, FileFacts] = {}
    weights: dict[str, str] = {}
    if described.precision != "int8":  # whose graphs are small, and have their weights inside
        graphs, weights, facts = _shared(folder, graphs, names)
    sessions = {names[role]: _session(folder, graph, weights.get(names[role])) for role, graph in graphs.items()}
    files = {names[role]: graph for role, graph in graphs.items()}
    files |= {TOKENIZER: backbone.tokenizer.json, GOLDEN: _golden(method, sessions, names)}
    record = Record(
        name=described.name,
        about=described.source.about,
        licence=described.source.licence,
        backbone=described.source.backbone,
        method=method.name,
        setting=method.setting,
        precision=described.precision,
        size=method.size,
        grid=backbone.image.grid,
        context=backbone.tokenizer.context,
        temperature=float(backbone.temperature),
        photos=backbone.photos,
        sketches=backbone.sketches,
        graphs=names,
        measured=described.measured,
        files=facts | {file: FileFacts.of(data) for file, data in files.items()},
        weights=weights,
        lines=outlines.BYTES if "lines" in names else None,
    )
    for file, data in files.items():
        (folder / file).write_bytes(data)
    made = f"Written by `sketchseek export` from {record.backbone}, method {record.method} ({record.setting})."
    (folder / CARD).write_text(model_card(record, made=made, figures=figures(record)), encoding="utf-8")
    write_record(folder, record)


def _shared(
    folder: Path, graphs: Graphs, names: Mapping[Role, str]
) -> tuple[Graphs, dict[str, str], dict[str, FileFacts]]:
    """Write the weights of the graphs into files; the graphs without them, graph -> its file, facts of the files."""
    # Lines keep their weights, so that no vector's identity depends on them.
    shared: Graphs = {role: graph for role, graph in graphs.items() if role == "lines"}
    weights: dict[str, str] = {}
    facts: dict[str, FileFacts] = {}
    for file in (PICTURES, TEXTS):
        own = {role: graphs[role] for role in graphs if role != "lines" and (role == "text") == (file == TEXTS)}
        made, tensors = share_weights({names[role]: graph for role, graph in own.items()}, file)
        facts[file] = tensors.write(folder)
        shared |= {role: made[names[role]] for role in own}
        weights |= dict.fromkeys(made, file)
    return shared, weights, facts


def _session(folder: Path, graph: bytes, weights: str | None) -> OrtSession:
    """A graph, with its weights in a file of the folder if it names one."""
    shared = SharedWeights(weights, np.fromfile(folder / weights, np.uint8)) if weights else None
    return OrtSession(graph, "CPU", 0, shared)


def _golden(method: Method, sessions: Mapping[str, OrtSession], names: Mapping[Role, str]) -> bytes:
    """Sample inputs and the vectors that the graphs give for them on the CPU."""
    backbone = method.backbone
    arrays: dict[str, NDArray[Any]] = {}

    def keep(role: Role, inputs: Mapping[str, NDArray[Any]], output: str = "vectors") -> None:
        (found,) = sessions[names[role]](inputs, [output])
        arrays.update({f"{names[role]}/{name}": values for name, values in {**inputs, output: found}.items()})

    sides: tuple[tuple[Role, Role, int], ...] = (
        ("photo", "photo_patches", backbone.photos.size),
        ("sketch", "sketch_patches", backbone.sketches.size),
    )
    for role, patches, side in sides:
        pixels = sample_pictures(2, side)
        keep(role, {"pixels": pixels})
        if patches in names:
            (states,) = sessions[names[role]]({"pixels": pixels[:1]}, ["states"])
            keep(patches, {"states": states})
    keep("text", text_inputs(backbone, SAMPLE_TEXTS))
    if "lines" in names:
        (maps,) = sessions[names["photo"]]({"pixels": sample_pictures(1, backbone.photos.size)}, ["maps"])
        # Real ones take a megabyte; these repeat, so that they take little when compressed.
        keep("lines", {"maps": np.resize(maps[:, :997], maps.shape)}, "lines")
    return write_golden(arrays)
