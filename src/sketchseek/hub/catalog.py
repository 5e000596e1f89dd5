"""Which backbones there are: the published ones known by name, and what lies on this machine. Needs no torch."""

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

from sketchseek.caches import models_folder
from sketchseek.errors import SketchseekError
from sketchseek.hub.files import BackboneFiles, arrange, files_in

__all__ = [
    "Listed",
    "Pin",
    "Published",
    "cached",
    "list_backbones",
    "published",
    "recall",
    "record",
    "shipped",
]

_USUAL_FILES = ("model.safetensors", "config.json", "tokenizer.json", "preprocessor_config.json")


@dataclass(frozen=True)
class Pin:
    """One state of a repository: its commit, and the files taken from it with their SHA-256 where it is known."""

    revision: str
    files: Mapping[str, str | None]


@dataclass(frozen=True)
class Published:
    """A backbone on the hub that we know; None stands for what was not found out. ``bytes``: to download."""

    name: str
    about: str
    licence: str
    bytes: int | None
    revision: str | None
    pin: Pin | None  # only where the weights' hash is known too


@dataclass(frozen=True)
class Listed:
    """A line of ``sketchseek models``. ``bytes``: on this machine if it is here, else to download (None: not known).

    ``pinned``: revision and weights are those this release names.
    """

    name: str
    kind: Literal["shipped", "published", "fetched", "folder", "model"]
    about: str
    licence: str
    here: bool
    path: Path | None
    bytes: int | None
    pinned: bool


@cache
def published() -> dict[str, Published]:
    """The catalogue by name."""
    tables = tomllib.loads((files("sketchseek.hub") / "catalog.toml").read_text(encoding="utf-8"))
    return {name: _published(name, table) for name, table in tables.items()}


def _published(name: str, table: dict[str, str | int | list[str]]) -> Published:
    names = [str(file) for file in _list(table.get("files", list(_USUAL_FILES)))]
    sha256, revision, size = table.get("sha256"), table.get("revision"), table.get("bytes")
    hashes = {file: str(sha256) if file == names[0] else None for file in names}
    return Published(
        name=name,
        about=str(table["about"]),
        licence=str(table["licence"]),
        bytes=size if isinstance(size, int) else None,
        revision=str(revision) if revision else None,
        pin=Pin(str(revision), hashes) if revision and sha256 else None,
    )


def _list(value: str | int | list[str]) -> list[str]:
    assert isinstance(value, list)
    return value


@cache
def shipped() -> dict[str, Path]:
    """The backbones inside this package: name -> folder."""
    return {path.parent.name: path.parent for path in Path(str(files("sketchseek"))).glob("models/*/model.safetensors")}


def _record_path(spec: str) -> Path:
    return models_folder() / "fetched" / f"{quote(spec, safe='')}.json"


def recall(spec: str) -> Pin | None:
    """The state of a repository at its first download, as ``record`` noted it."""
    path = _record_path(spec)
    try:
        if not path.is_file():
            return None
        noted = json.loads(path.read_text(encoding="utf-8"))
        return Pin(str(noted["revision"]), {str(name): str(digest) for name, digest in noted["files"].items()})
    except OSError as error:
        raise SketchseekError(f"{path} cannot be read ({error.strerror}): set SKETCHSEEK_MODELS") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SketchseekError(f"{path} is damaged: remove it, and {spec} is recorded anew") from None


def record(spec: str, pin: Pin) -> None:
    """Note what was downloaded, so that a later change does not pass unseen."""
    path = _record_path(spec)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}.tmp")
        fresh.write_text(json.dumps({"revision": pin.revision, "files": dict(pin.files)}, indent=2), encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise SketchseekError(f"{path} cannot be written ({error.strerror}): set SKETCHSEEK_MODELS") from None


def cached(spec: str, pin: Pin) -> BackboneFiles | None:
    """The files of a pinned backbone, if all of them are in the hub's cache on this machine."""
    from huggingface_hub.constants import HF_HUB_CACHE  # of the hub's library only this light part

    name = spec.partition("@")[0]
    folder = Path(HF_HUB_CACHE) / f"models--{name.replace('/', '--')}" / "snapshots" / pin.revision
    paths = {file: folder / file for file in pin.files}
    return arrange(spec, paths) if all(path.is_file() for path in paths.values()) else None


def list_backbones() -> list[Listed]:
    """What ships, the published backbones, others that were fetched by name, and the folders in ``models_folder``."""
    listed = [_shipped_line(name, files_in(folder, name=name)) for name, folder in sorted(shipped().items())]
    listed += [_line(entry) for entry in published().values()]
    for path in sorted(_record_path("").parent.glob("*.json")):
        spec = unquote(path.stem)
        if spec not in published() and (pin := recall(spec)) and (here := cached(spec, pin)):
            listed.append(Listed(spec, "fetched", "", "", True, here.folder, here.bytes, pinned=False))
    for folder in sorted(models_folder().glob("*/")):
        try:
            found = files_in(folder)
        except SketchseekError:
            continue  # models of other kinds lie here too
        listed.append(Listed(folder.name, "folder", "", "", True, folder, found.bytes, pinned=False))
    return listed


def _shipped_line(name: str, found: BackboneFiles) -> Listed:
    about = found.settings
    return Listed(
        name,
        "shipped",
        str(about.get("about", "")),
        str(about.get("licence", "")),
        True,
        found.folder,
        found.bytes,
        pinned=True,
    )


def _line(entry: Published) -> Listed:
    pin = entry.pin or recall(entry.name)
    here = cached(entry.name, pin) if pin else None
    return Listed(
        entry.name,
        "published",
        entry.about,
        entry.licence,
        here is not None,
        here.folder if here else None,
        here.bytes if here else entry.bytes,
        pinned=entry.pin is not None,
    )
