"""The files of a backbone and the role of each, found without opening the weights."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sketchseek.errors import SketchseekError
from sketchseek.untrusted import MAX_TEXT, parse_json, read_bounded

__all__ = ["BackboneFiles", "assign_roles", "files_in", "read_json", "sha256_of"]

_SAFE = ("model.safetensors", "model.safetensors.index.json", "open_clip_model.safetensors")
_PICKLES = ("pytorch_model.bin", "open_clip_pytorch_model.bin")
_PICKLE_ENDINGS = (".pt", ".pth", ".bin", ".ckpt")


def read_json(path: Path, limit: int = MAX_TEXT) -> dict[str, Any]:
    """The object in a JSON file of at most ``limit`` bytes; raises ``SketchseekError`` if there is none."""
    try:
        value = parse_json(read_bounded(path, limit))
    except OSError as error:
        raise SketchseekError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise SketchseekError(f"{path} is not valid JSON: download the folder again") from None
    if not isinstance(value, dict):
        raise SketchseekError(f"{path} does not hold a JSON object: download the folder again")
    return value


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class BackboneFiles:
    """The paths of a backbone's files. ``config`` and ``preprocessor`` are None if its format has none."""

    name: str
    weights: tuple[Path, ...]
    config: Path | None
    tokenizer: Path
    preprocessor: Path | None

    @cached_property
    def settings(self) -> dict[str, object]:
        """The content of ``config``, read once; empty without a config."""
        return {} if self.config is None else read_json(self.config)

    @property
    def pickled(self) -> bool:
        """Whether reading the weights means opening a pickle."""
        return self.weights[0].suffix in _PICKLE_ENDINGS

    @property
    def all(self) -> tuple[Path, ...]:
        """Every file, the weights first."""
        others = (self.config, self.tokenizer, self.preprocessor)
        return (*self.weights, *(path for path in others if path is not None))

    @property
    def folder(self) -> Path:
        """The folder of the weights."""
        return self.weights[0].parent

    @property
    def bytes(self) -> int:
        """Their size on disk."""
        return sum(path.stat().st_size for path in self.all)

    @cached_property
    def hashes(self) -> dict[str, str]:
        """File name -> SHA-256; reads every byte, once."""
        return {path.name: sha256_of(path) for path in self.all}

    @property
    def identity(self) -> str:
        """SHA-256 over weights, config, tokenizer and preprocessing."""
        return hashlib.sha256(" ".join(self.hashes.values()).encode()).hexdigest()


def assign_roles(name: str, paths: Mapping[str, Path]) -> BackboneFiles:
    """Paths by their names in a repository -> the files of a backbone."""
    return BackboneFiles(
        name=name,
        weights=tuple(path for file, path in paths.items() if file.endswith(".safetensors")),
        config=paths.get("config.json") or paths.get("open_clip_config.json"),
        tokenizer=paths["tokenizer.json"],
        preprocessor=paths.get("preprocessor_config.json"),
    )


def files_in(path: Path, *, name: str | None = None, trust_pickle: bool = False) -> BackboneFiles:
    """The backbone in a folder, or of a weights file and the files next to it."""
    if not path.exists():
        raise SketchseekError(f"{path} does not exist: name a folder with config.json and model.safetensors")
    folder = path if path.is_dir() else path.parent
    weights = _weights_in(folder) if path.is_dir() else (path,)
    if weights[0].suffix in _PICKLE_ENDINGS and not trust_pickle:
        raise SketchseekError(
            f"{weights[0]} is a pickle, which can run code when it is opened:"
            " use safetensors, or pass --trust-pickle if you trust its author"
        )
    if weights[0].suffix not in (*_PICKLE_ENDINGS, ".safetensors"):
        raise SketchseekError(f"{weights[0]} is not a weights file: its name must end with .safetensors")
    tokenizer = folder / "tokenizer.json"
    if not tokenizer.is_file():
        raise SketchseekError(f"{tokenizer} is missing: put the tokenizer of these weights there")
    return BackboneFiles(
        name=name or path.resolve().name,
        weights=weights,
        config=_first(folder, "config.json", "open_clip_config.json"),
        tokenizer=tokenizer,
        preprocessor=_first(folder, "preprocessor_config.json"),
    )


def _first(folder: Path, *names: str) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _weights_in(folder: Path) -> tuple[Path, ...]:
    found = _first(folder, *_SAFE)
    if found is None:
        found = _first(folder, *_PICKLES)
        if found is None:
            raise SketchseekError(f"{folder} has no weights: model.safetensors is missing")
        return (found,)
    return _shards(found) if found.suffix == ".json" else (found,)


def _shards(index: Path) -> tuple[Path, ...]:
    """The files that the index of a sharded checkpoint names, all in its own folder."""
    table = read_json(index).get("weight_map")
    names = sorted(set(map(str, table.values()))) if isinstance(table, dict) else []
    if not names:
        raise SketchseekError(f"{index} names no files: download the folder again")
    for name in names:
        # A name that contains a path could read any file.
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise SketchseekError(f"{index} names {name!r}, which is not a safetensors file in this folder")
        if not (index.parent / name).is_file():
            raise SketchseekError(f"{index.parent / name} is missing: {index.name} names it")
    return tuple(index.parent / name for name in names)
