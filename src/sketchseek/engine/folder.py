"""A model folder on disk: the record in its config.json, and its other files, which are verified when read.

config.json     the record: what the model is, how pictures are prepared, size and hash of each file
photo.onnx      uint8 pixels (n, side, side, 3) -> vectors, and the tokens that enter the last layer
sketch.onnx     the same for sketches; absent if one graph encodes photos and sketches
patches.onnx    those tokens -> a vector for each patch (sketch_patches.onnx if sketches have their own)
text.onnx       token numbers and where each text ends -> vectors
tokenizer.json  words -> token numbers
golden.npz      a few generated inputs and the vectors that the graphs must compute from them
README.md       the model card, the one file that may be edited
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self, get_args

from sketchseek.errors import SketchseekError
from sketchseek.pictures import Preprocessing

FORMAT = "sketchseek-model"
VERSION = 1  # increases when an older sketchseek would misread the folder

CONFIG, TOKENIZER, GOLDEN, CARD = "config.json", "tokenizer.json", "golden.npz", "README.md"
Role = Literal["photo", "sketch", "text", "photo_patches", "sketch_patches"]
Precision = Literal["fp32", "int8"]


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
    ``temperature``: cosines were divided by it in training. ``graphs``: role -> file. ``calibration``: kind of query ->
    (midpoint, scale) of the curve from cosine to relevance, None if it was not measured. ``measured``: figures of the
    export, for the model card. ``files``: name -> size and hash.
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
    calibration: Mapping[str, tuple[float, float]] | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, FileFacts] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """SHA-256 over everything that affects a vector: graphs, tokenizer, preprocessing."""
        parts = {
            "version": VERSION,
            "size": self.size,
            "context": self.context,
            "tokenizer": self.files[TOKENIZER].sha256,
            "graphs": {role: self.files[name].sha256 for role, name in self.graphs.items() if "patches" not in role},
            "photos": self.photos.fingerprint,
            "sketches": self.sketches.fingerprint,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        values = asdict(self) | {
            "photos": self.photos.to_json(),
            "sketches": self.sketches.to_json(),
            "files": {name: asdict(facts) for name, facts in sorted(self.files.items())},
        }
        return {"format": FORMAT, "version": VERSION, **values}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The record from ``to_json``; a missing or malformed field raises KeyError, TypeError or ValueError."""
        read = {one.name: values[one.name] for one in fields(cls)}
        if read["precision"] not in get_args(Precision) or not {"photo", "sketch", "text"} <= read["graphs"].keys():
            raise ValueError("precision or graphs")
        if read["calibration"] is not None:
            read["calibration"] = {
                str(kind): (float(midpoint), float(scale)) for kind, (midpoint, scale) in read["calibration"].items()
            }
        read["files"] = {name: FileFacts(int(f["size"]), str(f["sha256"])) for name, f in read["files"].items()}
        # A name that contains a path could read any file.
        if any(Path(name).name != name for name in read["files"]):
            raise ValueError("files")
        if {TOKENIZER, GOLDEN, *read["graphs"].values()} - read["files"].keys():
            raise KeyError("files")
        for which in ("photos", "sketches"):
            read[which] = Preprocessing.from_json(read[which])
        return cls(**read)


def is_model(folder: Path) -> bool:
    """Whether a folder is a model folder, of any version."""
    try:
        written = json.loads((folder / CONFIG).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(written, dict) and written.get("format") == FORMAT


def read_record(folder: Path) -> Record:
    """The record of a model folder, after a check that its files exist and have the right size."""
    try:
        written = json.loads((folder / CONFIG).read_bytes())
    except OSError as error:
        raise EngineError(f"{folder / CONFIG} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise EngineError(f"{folder / CONFIG} is not valid JSON: export the model again") from None
    if not isinstance(written, dict) or written.get("format") != FORMAT:
        raise EngineError(f"{folder} is not a model folder: sketchseek export NAME --out FOLDER makes one")
    version = written.get("version")
    if version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        todo = "update sketchseek" if newer else "export the model again"
        raise EngineError(f"{folder} has format {version!r}, this sketchseek reads {VERSION}: {todo}")
    try:
        record = Record.from_json(written)
    except (KeyError, TypeError, ValueError, AttributeError, SketchseekError) as error:
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
        data = (folder / name).read_bytes()
    except OSError as error:
        raise EngineError(f"{folder / name} cannot be read: {error.strerror}") from None
    if FileFacts.of(data) != record.files[name]:
        raise EngineError(f"{folder / name} has changed since it was exported: export the model again")
    return data


def write_record(folder: Path, record: Record) -> None:
    """Write config.json, the last file of an export."""
    (folder / CONFIG).write_text(json.dumps(record.to_json(), indent=2) + "\n", encoding="utf-8")
