"""A model folder on disk: the record in its config.json, and its other files, which are verified when read.

config.json     the record: what the model is, how pictures are prepared, size and hash of each file
photo.onnx      uint8 pixels (n, side, side, 3) -> vectors, the tokens that enter the last layer, maps for lines.onnx
sketch.onnx     the same for sketches; absent if one graph encodes photos and sketches
patches.onnx    those tokens -> a vector for each patch (sketch_patches.onnx if sketches have their own)
lines.onnx      those maps -> where a person would draw lines over the photo; absent if the model does not know
text.onnx       token numbers and where each text ends -> vectors
*.safetensors   weights that graphs share; absent if they lie inside the graphs
tokenizer.json  words -> token numbers
golden.npz      a few generated inputs and the vectors that the graphs must compute from them
guesses.npz     from the vector of a drawing to names of what it may be; absent if the model has learned none
README.md       the model card, the one file that may be edited
"""

import hashlib
import json
import math
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self, get_args

from sketchseek import outlines
from sketchseek.errors import SketchseekError
from sketchseek.pictures import Preprocessing
from sketchseek.untrusted import parse_json, read_bounded

FORMAT = "sketchseek-model"
VERSION = 2  # increases when an older sketchseek would misread the folder; 2 has shared weights, 16 bits and lines

CONFIG, TOKENIZER, GOLDEN, CARD = "config.json", "tokenizer.json", "golden.npz", "README.md"
GUESSES = "guesses.npz"
Role = Literal["photo", "sketch", "text", "photo_patches", "sketch_patches", "lines"]
BESIDE: frozenset[Role] = frozenset({"photo_patches", "sketch_patches", "lines"})  # no vector of a picture needs them
Precision = Literal["fp32", "fp16", "int8"]  # of stored weights

SHIPPED = Path(__file__).resolve().parent.parent / "models"  # the model folders inside this package
MAX_FILE = 2**31  # bytes of one file: no larger graph can be read
MAX_SIZE = 2**16  # numbers of a vector, and tokens of a text
_NAME = re.compile(r"\w[\w.-]{0,99}", re.ASCII)  # a name that contains a path could read any file
_TEXTS = ("name", "about", "licence", "backbone", "method", "setting")


class EngineError(SketchseekError):
    """A model folder that cannot be used, or a model that cannot be written as one."""


@dataclass(frozen=True)
class FileFacts:
    """Size (in bytes) and SHA-256 of a file."""

    size: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> Self:
        return cls(len(data), hashlib.sha256(data).hexdigest())


@dataclass(frozen=True, kw_only=True)
class Record:
    """The content of config.json.

    ``grid``: patches per side; ``size``: width of a vector; ``context``: longest text in tokens, SOS and EOS included.
    ``temperature``: cosines were divided by it in training. ``graphs``: role -> file. ``measured``: figures of the
    export, for the model card. ``files``: name -> size and hash. ``weights``: graph file -> file of the weights that it
    shares with others; a graph that is missing here has its weights inside. ``lines``: bytes of a photo's outlines as
    ``outlines.pack`` makes them of the output of lines.onnx; None if there is no such graph.
    """

    name: str
    about: str
    licence: str
    backbone: str
    method: str
    setting: str
    precision: Precision
    size: int
    grid: int
    context: int
    temperature: float
    photos: Preprocessing
    sketches: Preprocessing
    graphs: Mapping[Role, str]
    measured: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, FileFacts] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    lines: int | None = None

    @property
    def version(self) -> int:
        """The oldest format that can hold this record."""
        return 2 if self.weights or self.precision == "fp16" or self.lines else 1

    @property
    def identity(self) -> str:
        """SHA-256 over everything that affects a vector: graphs, tokenizer, preprocessing."""
        parts: dict[str, Any] = {
            "version": self.version,
            "size": self.size,
            "context": self.context,
            "tokenizer": self.files[TOKENIZER].sha256,
            "graphs": {role: self.files[name].sha256 for role, name in self.graphs.items() if role not in BESIDE},
            "photos": self.photos.fingerprint,
            "sketches": self.sketches.fingerprint,
        }
        if self.weights:
            parts["weights"] = {graph: self.files[name].sha256 for graph, name in self.weights.items()}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        values = asdict(self) | {
            "photos": self.photos.to_json(),
            "sketches": self.sketches.to_json(),
            "files": {name: asdict(facts) for name, facts in sorted(self.files.items())},
        }
        if self.version == 1:
            del values["weights"]
        if self.lines is None:
            del values["lines"]
        return {"format": FORMAT, "version": self.version, **values}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The record from ``to_json``; a missing or malformed field raises KeyError, TypeError or ValueError."""
        read = {one.name: values[one.name] for one in fields(cls) if one.name not in ("weights", "lines")}
        read["weights"] = dict(values.get("weights", {}))  # version 1 has none
        read["lines"] = values.get("lines")
        if read["lines"] not in (None, outlines.BYTES):
            raise ValueError(f"lines is {str(read['lines'])[:20]}, it must be {outlines.BYTES}")
        if ("lines" in values["graphs"]) != (read["lines"] is not None):
            raise ValueError("lines")
        if not all(isinstance(read[name], str) for name in _TEXTS) or not isinstance(read["measured"], dict):
            raise ValueError(f"{', '.join(_TEXTS)} must be text, measured a table")
        for name in ("size", "grid", "context"):
            read[name] = _whole(read[name], name, MAX_SIZE)
        read["temperature"] = _finite(read["temperature"])
        graphs = read["graphs"]
        if read["precision"] not in get_args(Precision) or not {"photo", "sketch", "text"} <= graphs.keys():
            raise ValueError("precision or graphs")
        if not graphs.keys() <= set(get_args(Role)) or not all(isinstance(name, str) for name in graphs.values()):
            raise ValueError("graphs")
        read["files"] = {
            name: FileFacts(_whole(f["size"], f"size of {name}", MAX_FILE), str(f["sha256"]))
            for name, f in read["files"].items()
        }
        if not all(_NAME.fullmatch(name) for name in read["files"]):
            raise ValueError("files")
        if not read["weights"].keys() <= set(graphs.values()):
            raise ValueError("weights")
        if {TOKENIZER, GOLDEN, *graphs.values(), *read["weights"].values()} - read["files"].keys():
            raise KeyError("files")
        for which in ("photos", "sketches"):
            read[which] = Preprocessing.from_json(read[which])
        return cls(**read)


def _whole(value: object, name: str, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ValueError(f"{name} is {str(value)[:20]}, it must be a whole number from 1 to {most}")
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a number")
    return float(value)


def is_model(folder: Path) -> bool:
    """Whether a folder is a model folder, of any version."""
    try:
        written = parse_json(read_bounded(folder / CONFIG))
    except (OSError, ValueError):
        return False
    return isinstance(written, dict) and written.get("format") == FORMAT


def read_record(folder: Path) -> Record:
    """The record of a model folder, after a check that its files exist and have the right size."""
    try:
        written = parse_json(read_bounded(folder / CONFIG))
    except OSError as error:
        raise EngineError(f"{folder / CONFIG} cannot be read: {error.strerror}") from None
    except ValueError:
        raise EngineError(f"{folder / CONFIG} is not valid JSON: export the model again") from None
    if not isinstance(written, dict) or written.get("format") != FORMAT:
        raise EngineError(f"{folder} is not a model folder: sketchseek export NAME --out FOLDER makes one")
    version = written.get("version")
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        newer = isinstance(version, int) and version > VERSION
        todo = "update sketchseek" if newer else "export the model again"
        raise EngineError(f"{folder} has format {str(version)[:20]}, this sketchseek reads 1 to {VERSION}: {todo}")
    try:
        record = Record.from_json(written)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, SketchseekError) as error:
        reason = " ".join(str(error).split())[:200]
        raise EngineError(f"{folder / CONFIG} is damaged ({reason}): export the model again") from None
    for name, facts in record.files.items():
        try:
            found = (folder / name).stat().st_size
        except OSError as error:
            raise EngineError(f"{folder / name} cannot be opened ({error.strerror}): export the model again") from None
        if found != facts.size:
            raise EngineError(f"{folder / name} has changed since it was exported: export the model again")
    return record


def read_file(folder: Path, name: str, record: Record) -> bytes:
    """The content of a file; raises ``EngineError`` if it differs from the record."""
    try:
        data = read_bounded(folder / name, MAX_FILE)
    except OSError as error:
        raise EngineError(f"{folder / name} cannot be read: {error.strerror}") from None
    if FileFacts.of(data) != record.files[name]:
        raise EngineError(f"{folder / name} has changed since it was exported: export the model again")
    return data


def write_record(folder: Path, record: Record) -> None:
    """Write config.json, the last file of an export."""
    (folder / CONFIG).write_text(json.dumps(record.to_json(), indent=2) + "\n", encoding="utf-8")


@contextmanager
def temporary_folder(target: Path) -> Iterator[Path]:
    """A folder that becomes ``target`` at the end of the block; if the block raises, it leaves nothing behind."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise EngineError(f"{target} cannot be written: {error.strerror}") from None
    try:
        yield folder
        folder.chmod(0o755)  # mkdtemp makes folders private
        folder.rename(target)
    except OSError as error:
        raise EngineError(f"{target} cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
