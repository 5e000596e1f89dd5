"""The whole conversion: graphs, weights, tokenizer, golden vectors, record. A failed one leaves nothing behind."""

import ctypes
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.engine.card import model_card
from sketchseek.engine.convert.checkpoint import ConvertError
from sketchseek.engine.convert.ready import find_ready, ready_made
from sketchseek.engine.convert.source import Description, Source, opened_weights
from sketchseek.engine.folder import (
    CARD,
    GOLDEN,
    MAX_FILE,
    TOKENIZER,
    FileFacts,
    Precision,
    Record,
    Role,
    temporary_folder,
    write_record,
)
from sketchseek.engine.golden import least_cosine, write_golden
from sketchseek.engine.isolation import IsolatedSession
from sketchseek.engine.sample_inputs import SAMPLE_TEXTS, sample_pictures
from sketchseek.engine.sessions import OrtSession, Session
from sketchseek.engine.weights import SharedWeights
from sketchseek.parallel import usable_cores
from sketchseek.tokenizer import Tokenizer

Report = Callable[[str], None]
Golden = dict[str, NDArray[Any]]
EXACT = "fp32"  # a folder that exists during a conversion to 8 bits


@contextmanager
def opened(source: Path) -> Iterator[Source]:
    """The model in a folder of downloaded files, or of a weights file and the files beside it."""
    if (ready := find_ready(source)) is not None:
        yield ready_made(ready)
    else:
        with opened_weights(source) as found:
            yield found


def family(source: Path) -> Description:
    """What a folder of downloaded files holds; raises ``ConvertError`` if it cannot be converted."""
    with opened(source) as found:
        return found.description


def convert(
    source: Path,
    out: Path,
    *,
    name: str,
    about: str,
    licence: str,
    origin: str | None = None,
    precision: Precision = "fp16",
    progress: Report | None = None,
) -> Record:
    """Write the published weights in ``source`` as the new model folder ``out``, without torch.

    ``source``: a folder of downloaded files, or a file of safetensors with its config and tokenizer beside it.
    ``name``, ``about``, ``licence``: for the record and the model card, as is ``origin``, where the weights come from
    (by default the name of ``source``). ``precision``: of stored matrices. ``progress`` is called with the name of each
    step. Raises ``ConvertError`` with one sentence, and then leaves nothing behind.
    """
    report = progress or (lambda _: None)
    if out.exists():
        raise ConvertError(f"{out} already exists: name a new folder, or remove that one first")
    with temporary_folder(out) as folder:
        report("writing graphs and weights")
        found, files = _written(source, folder, precision)
        _return_memory()
        report("computing golden vectors")
        golden = _golden(folder, found)
        data = write_golden(golden)
        (folder / GOLDEN).write_bytes(data)
        files[GOLDEN] = FileFacts.of(data)
        measured: dict[str, Any] = {}
        if precision == "int8":
            report("comparing 8 bits with 32")
            measured["cosines"] = _cosines(golden, _golden(folder / EXACT, found), found)
            shutil.rmtree(folder / EXACT)
        record = Record(
            name=name,
            about=about,
            licence=licence,
            backbone=origin or source.name,
            method="zero-shot",
            setting="category",
            precision=precision,
            size=found.size,
            grid=found.grid,
            context=found.context,
            temperature=found.temperature,
            photos=found.photos,
            sketches=found.sketches,
            graphs=found.graphs,
            measured=measured,
            files=files,
            weights=found.weights,
        )
        made = f"Converted by sketchseek from the published weights {record.backbone}. Nothing was trained."
        figures = [
            f"Lowest cosine to 32-bit weights on sample inputs, {role}: {cosine:.5f}."
            for role, cosine in measured.get("cosines", {}).items()
        ]
        (folder / CARD).write_text(model_card(record, made=made, figures=figures), encoding="utf-8")
        write_record(folder, record)
    return record


def _written(source: Path, folder: Path, precision: Precision) -> tuple[Source, dict[str, FileFacts]]:
    """Write graphs, weights and tokenizer; the files of ``source`` are closed afterwards, which frees memory."""
    with opened(source) as found:
        files = found.write(folder, precision)
        if precision == "int8":
            (folder / EXACT).mkdir()
            found.write(folder / EXACT, "fp32")
    (folder / TOKENIZER).write_bytes(found.tokenizer)
    files[TOKENIZER] = FileFacts.of(found.tokenizer)
    if large := next((file for file, facts in files.items() if facts.size > MAX_FILE), None):
        raise ConvertError(f"{large} of {source} would be larger than {MAX_FILE >> 30} GB, which cannot be used")
    return found, files


def _return_memory() -> None:
    """glibc keeps for this process what onnx and numpy have freed, but now others need it: graphs run in their own."""
    with suppress(OSError, AttributeError, TypeError):  # other systems have no such function
        ctypes.CDLL(None).malloc_trim(0)


def _golden(folder: Path, found: Source) -> Golden:
    """Sample inputs and the vectors that the graphs give for them; one graph is open at a time."""
    golden: Golden = {}
    pixels = sample_pictures(2, found.photos.size)
    tokens = Tokenizer(found.tokenizer, path=folder / TOKENIZER, context=found.context)(SAMPLE_TEXTS)
    states = _run(golden, folder, found, "photo", {"pixels": pixels}, (2, found.size))
    if "photo_patches" in found.graphs:
        _run(golden, folder, found, "photo_patches", {"states": states[:1]}, (1, found.grid**2, found.size))
    _run(golden, folder, found, "text", {"ids": tokens.ids, "ends": tokens.ends}, (len(SAMPLE_TEXTS), found.size))
    return golden


def _run(
    golden: Golden, folder: Path, found: Source, role: Role, inputs: Golden, shape: tuple[int, ...]
) -> NDArray[Any]:
    """Add the inputs and vectors of a graph; returns the states of a picture graph, else its vectors."""
    file = found.graphs[role]
    outputs = ["vectors", "states"] if role == "photo" and "photo_patches" in found.graphs else ["vectors"]
    found_arrays = _session(folder, found, file)(inputs, outputs)
    vectors = found_arrays[0]
    if vectors.shape != shape or not np.isfinite(vectors).all():
        raise ConvertError(
            f"the {role} graph of these weights computes numbers of shape {vectors.shape}, not {shape} finite ones:"
            " the weights are damaged, or not what their config says"
        )
    golden |= {f"{file}/{name}": array for name, array in {**inputs, "vectors": vectors}.items()}
    return found_arrays[-1]


def _session(folder: Path, found: Source, file: str) -> Session:
    weights = None
    if file in found.weights:
        mapped = np.memmap(folder / found.weights[file], np.uint8, "r")  # read page by page
        weights = SharedWeights(found.weights[file], mapped)
    kind = OrtSession if found.ours else IsolatedSession
    return kind((folder / file).read_bytes(), "CPU", usable_cores(), weights)


def _cosines(golden: Golden, exact: Golden, found: Source) -> dict[str, float]:
    """Role -> the least cosine between golden vectors and those of graphs with 32-bit weights."""
    roles: tuple[Role, ...] = ("photo", "text")
    files = {role: f"{found.graphs[role]}/vectors" for role in roles}
    return {role: round(least_cosine(golden[file], exact[file]), 6) for role, file in files.items()}
