"""What is in a folder of downloaded files, and what a conversion of it needs to know."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import exp
from pathlib import Path
from typing import Literal

from sketchseek.engine.convert.checkpoint import Checkpoint, ConvertError
from sketchseek.engine.convert.names import is_open_clip
from sketchseek.engine.convert.plan import Plan
from sketchseek.engine.convert.published import Pieces, Settings, read_plan
from sketchseek.engine.convert.texts import tokenizer_json
from sketchseek.engine.folder import FileFacts, Precision, Role
from sketchseek.engine.weights import WeightFile
from sketchseek.errors import SketchseekError
from sketchseek.hub.files import BackboneFiles, files_in, read_json
from sketchseek.hub.tokenizers import padding_token, siglip_cleaning
from sketchseek.pictures import Preprocessing
from sketchseek.pictures.published import published_preprocessing

PICTURES, TEXTS = "pictures.safetensors", "texts.safetensors"


@dataclass(frozen=True, kw_only=True)
class Description:
    """A model in short. ``side``: of its pictures, in px; ``text``: how it reads words."""

    family: Literal["clip", "siglip", "onnx"]
    side: int
    text: Literal["clip", "siglip", "padded"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A published model that can be converted.

    ``write``: writes graphs and weights into a folder -> their facts. ``weights``: graph file -> its weights file.
    """

    description: Description
    size: int
    grid: int
    context: int
    temperature: float
    photos: Preprocessing
    sketches: Preprocessing
    tokenizer: bytes
    graphs: Mapping[Role, str]
    weights: Mapping[str, str]
    write: Callable[[Path, Precision], dict[str, FileFacts]]
    ours: bool  # whether the graphs are ours; those of others run in processes of their own


@contextmanager
def opened_weights(source: Path) -> Iterator[Source]:
    """The model whose tensors lie in a folder, or in a weights file with other files beside it."""
    files = files_in(source)
    if files.pickled:
        raise ConvertError(f"{files.weights[0]} is a pickle, which cannot be converted: download the safetensors")
    with Checkpoint(files.weights) as checkpoint:
        yield _published(files, checkpoint)


def _published(files: BackboneFiles, checkpoint: Checkpoint) -> Source:
    config, settings = _config(files, checkpoint)
    plan, pieces = read_plan(checkpoint, config, settings, padding_token(files.tokenizer))
    open_clip = settings.get("preprocess_cfg")
    try:
        photos, sketches = published_preprocessing(
            plan.side,
            processor=None if files.preprocessor is None else read_json(files.preprocessor),
            open_clip=open_clip if isinstance(open_clip, dict) else None,
        )
    except SketchseekError as error:
        raise ConvertError(f"{files.preprocessor or config}: {error}") from None
    return Source(
        description=Description(family=plan.family, side=plan.side, text=plan.family),
        size=plan.size,
        grid=plan.grid,
        context=plan.context,
        temperature=exp(-float(pieces["logit_scale"].read().reshape(()))),
        photos=photos,
        sketches=sketches,
        tokenizer=tokenizer_json(
            files.tokenizer,
            cleaning=siglip_cleaning(files.tokenizer) if plan.family == "siglip" else "as they are",
            context=plan.context,
            vocabulary=plan.vocabulary,
        ),
        graphs={
            "photo": "photo.onnx",
            "sketch": "photo.onnx",  # a published model does not tell drawings from photos
            "text": "text.onnx",
            "photo_patches": "patches.onnx",
            "sketch_patches": "patches.onnx",
        },
        weights={"photo.onnx": PICTURES, "patches.onnx": PICTURES, "text.onnx": TEXTS},
        write=partial(_write, plan, pieces, photos),
        ours=True,
    )


def _config(files: BackboneFiles, checkpoint: Checkpoint) -> tuple[Path | None, Settings]:
    """The config that describes the weights; a folder may have one of each layout."""
    beside = files.folder / "open_clip_config.json"
    if is_open_clip(checkpoint) and beside.is_file():
        return beside, read_json(beside)
    if files.config is None:
        raise ConvertError(f"{files.folder / 'config.json'} is missing: put the config of these weights there")
    return files.config, files.settings


def _write(
    plan: Plan, pieces: Pieces, photos: Preprocessing, folder: Path, precision: Precision
) -> dict[str, FileFacts]:
    """Write the graphs and the weights of a plan."""
    from sketchseek.engine.convert.graph import Graph
    from sketchseek.engine.convert.towers import Builder

    pictures, texts = WeightFile(PICTURES), WeightFile(TEXTS)
    graphs = {"photo.onnx": pictures, "patches.onnx": pictures, "text.onnx": texts}
    built = {name: Graph(weights, precision) for name, weights in graphs.items()}
    Builder(built["photo.onnx"], plan, pieces).photos(photos)
    Builder(built["patches.onnx"], plan, pieces).patches()
    Builder(built["text.onnx"], plan, pieces).texts()
    facts = {weights.name: weights.write(folder) for weights in (pictures, texts)}
    for name, graph in built.items():
        data = graph.serialized()
        (folder / name).write_bytes(data)
        facts[name] = FileFacts.of(data)
    return facts
