"""A model folder on disk: the record in its config.json, and its other files, read only if they are what was written.

config.json     the record: what the model is, how pictures are prepared, what each file must be
photo.onnx      uint8 pixels (n, side, side, 3) -> vectors, and the tokens that enter the last layer
sketch.onnx     the same for sketches; absent where sketches are encoded by the very graph that encodes photos
patches.onnx    those tokens -> a vector for each patch (sketch_patches.onnx where sketches have their own)
text.onnx       token numbers and where each text ends -> vectors
tokenizer.json  words -> token numbers
golden.npz      a few made inputs and the vectors they must give
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
VERSION = 1  # goes up when an older sketchseek would misread what is written


CONFIG, TOKENIZER, GOLDEN, CARD = "config.json", "tokenizer.json", "golden.npz", "README.md"
Role = Literal["photo", "sketch", "text", "photo_patches", "sketch_patches"]
Precision = Literal["fp32", "int8"]


class EngineError(SketchseekError):
    """A model folder that cannot be used, or a model that cannot be written as one."""


@dataclass(frozen=True)
class FileFacts:
    """What a file must be: its size (in bytes) and the SHA-256 of its content."""

    size: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> Self:
        return cls(len(data), hashlib.sha256(data).hexdigest())


@dataclass(frozen=True, kw_only=True)
class Record:
    """What config.json says.

    ``grid``: patches a side; ``size``: width of a vector; ``context``: longest text in tokens, its frame included.
    ``temperature``: by it cosines were divided in training. ``graphs``: role -> file. ``calibration``: kind of query ->
    (midpoint, scale) of the curve from cosine to relevance, None where nobody measured it. ``measured``: figures of the
    export, for the card. ``files``: name -> what it must be.
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
        """SHA-256 over all that decides a vector: graphs, tokenizer, preprocessing."""
        decides = {
            "version": VERSION,
            "size": self.size,
            "context": self.context,
            "tokenizer": self.files[TOKENIZER].sha256,
            "graphs": {role: self.files[name].sha256 for role, name in self.graphs.items() if "patches" not in role},
            "photos": self.photos.fingerprint,
            "sketches": self.sketches.fingerprint,
        }
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        values = asdict(self) | {
            "photos": self.photos.to_json(),
            "sketches": self.sketches.to_json(),
            "files": {name: asdict(facts) for name, facts in sorted(self.files.items())},
        }
        return {"format": FORMAT, "version": VERSION, **values}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The record back; a missing or ill-formed field raises KeyError, TypeError or ValueError."""
        given = {one.name: values[one.name] for one in fields(cls)}
        if given["precision"] not in get_args(Precision) or not {"photo", "sketch", "text"} <= given["graphs"].keys():
            raise ValueError("precision or graphs")
        if given["calibration"] is not None:
            given["calibration"] = {
                str(kind): (float(midpoint), float(scale)) for kind, (midpoint, scale) in given["calibration"].items()
            }
        given["files"] = {name: FileFacts(int(f["size"]), str(f["sha256"])) for name, f in given["files"].items()}
        # A name with a path in it would read a file from elsewhere.
        if any(Path(name).name != name for name in given["files"]):
            raise ValueError("files")
        if {TOKENIZER, GOLDEN, *given["graphs"].values()} - given["files"].keys():
            raise KeyError("files")
        for which in ("photos", "sketches"):
            given[which] = Preprocessing.from_json(given[which])
        return cls(**given)


def is_model(folder: Path) -> bool:
    """Whether a folder says that it is a model folder, of whatever version."""
    try:
        written = json.loads((folder / CONFIG).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(written, dict) and written.get("format") == FORMAT


def read_record(folder: Path) -> Record:
    """The record of a model folder whose files are all there."""
    try:
        written = json.loads((folder / CONFIG).read_bytes())
    except OSError as error:
        raise EngineError(f"{folder / CONFIG} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise EngineError(f"{folder / CONFIG} is not valid JSON: export the model again") from None
    if not isinstance(written, dict) or written.get("format") != FORMAT:
        raise EngineError(f"{folder} is no model folder: sketchseek export NAME --out FOLDER makes one")
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
            raise EngineError(f"{folder / name} is not as it was written: export the model again")
    return record


def read_file(folder: Path, name: str, record: Record) -> bytes:
    """The content of a file, which is what the record says or is not given out at all."""
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise EngineError(f"{folder / name} cannot be read: {error.strerror}") from None
    if FileFacts.of(data) != record.files[name]:
        raise EngineError(f"{folder / name} is not as it was written: export the model again")
    return data


def write_record(folder: Path, record: Record) -> None:
    """config.json, the last file to be written."""
    (folder / CONFIG).write_text(json.dumps(record.to_json(), indent=2) + "\n", encoding="utf-8")
