"""The list of backbones and published models: those that ship, those known by name, and others on this machine."""

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
from sketchseek.hub.files import BackboneFiles, assign_roles, files_in

__all__ = [
    "ListedModel",
    "Pin",
    "Published",
    "cached_files",
    "cached_folder",
    "list_backbones",
    "published",
    "record_pin",
    "recorded_pin",
    "shipped",
    "short_names",
]

_USUAL_FILES = ("model.safetensors", "config.json", "tokenizer.json", "preprocessor_config.json")


@dataclass(frozen=True)
class Pin:
    """One state of a repository: its commit, and the files used from it with their SHA-256, None if unknown."""

    revision: str
    files: Mapping[str, str | None]


@dataclass(frozen=True)
class Published:
    """A model on the hub that this release knows; None is unknown. ``bytes``: to download.

    ``short``: the name people type. ``languages``, ``speed``: for people, see the catalogue. ``trains``: whether
    training can use it; searching can use all of them.
    """

    name: str
    short: str
    about: str
    licence: str
    languages: str
    speed: str
    bytes: int | None
    revision: str | None
    pin: Pin | None  # only where the weights' hash is known too
    trains: bool = True


@dataclass(frozen=True)
class ListedModel:
    """A line of ``sketchseek models``. ``bytes``: on this machine if it is here, else to download (None: unknown).

    ``pinned``: this release fixes its revision and the hash of its weights. ``languages``, ``speed``: "" if unknown.
    """

    name: str
    kind: Literal["shipped", "published", "fetched", "folder", "model"]
    about: str
    licence: str
    here: bool
    path: Path | None
    bytes: int | None
    pinned: bool
    languages: str = ""
    speed: str = ""


@cache
def published() -> dict[str, Published]:
    """The catalogue by name."""
    tables = tomllib.loads((files("sketchseek.hub") / "catalog.toml").read_text(encoding="utf-8"))
    return {name: _published(name, table) for name, table in tables.items()}


@cache
def short_names() -> dict[str, Published]:
    """The catalogue by the names that people type, such as ``clip``."""
    return {entry.short: entry for entry in published().values()}


def _published(name: str, table: dict[str, str | int | list[str]]) -> Published:
    names = [str(file) for file in _list(table.get("files", list(_USUAL_FILES)))]
    sha256, revision, size = table.get("sha256"), table.get("revision"), table.get("bytes")
    hashes = {file: str(sha256) if file == names[0] else None for file in names}
    return Published(
        name=name,
        short=str(table["short"]),
        about=str(table["about"]),
        licence=str(table["licence"]),
        languages=str(table["languages"]),
        speed=str(table["speed"]),
        bytes=size if isinstance(size, int) else None,
        revision=str(revision) if revision else None,
        pin=Pin(str(revision), hashes) if revision and sha256 else None,
        trains=bool(table.get("trains", True)),
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


def recorded_pin(spec: str) -> Pin | None:
    """The state of a repository at its first download, as ``record_pin`` wrote it; None if it was never downloaded."""
    path = _record_path(spec)
    try:
        if not path.is_file():
            return None
        recorded = json.loads(path.read_text(encoding="utf-8"))
        return Pin(str(recorded["revision"]), {str(name): str(digest) for name, digest in recorded["files"].items()})
    except OSError as error:
        raise SketchseekError(f"{path} cannot be read ({error.strerror}): set SKETCHSEEK_MODELS") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SketchseekError(f"{path} is damaged: delete it and use {spec} again") from None


def record_pin(spec: str, pin: Pin) -> None:
    """Record what was downloaded, so that a later change is noticed."""
    path = _record_path(spec)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}.tmp")
        fresh.write_text(json.dumps({"revision": pin.revision, "files": dict(pin.files)}, indent=2), encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise SketchseekError(f"{path} cannot be written ({error.strerror}): set SKETCHSEEK_MODELS") from None


def cached_folder(spec: str, pin: Pin) -> Path | None:
    """The folder of a pinned repository in the hub's cache on this machine, if all its files are there."""
    from huggingface_hub.constants import HF_HUB_CACHE  # a small part of the library, quick to import

    name = spec.partition("@")[0]
    folder = Path(HF_HUB_CACHE) / f"models--{name.replace('/', '--')}" / "snapshots" / pin.revision
    return folder if all((folder / file).is_file() for file in pin.files) else None


def cached_files(spec: str, pin: Pin) -> BackboneFiles | None:
    """The files of a pinned backbone, if all of them are in the hub's cache; None if it is no backbone."""
    folder = cached_folder(spec, pin)
    if folder is None or "tokenizer.json" not in pin.files:
        return None
    return assign_roles(spec, {file: folder / file for file in pin.files})


def list_backbones() -> list[ListedModel]:
    """Backbones that ship, published ones, others downloaded by name, and the folders in ``models_folder``."""
    listed = [_listed_shipped(name, files_in(folder, name=name)) for name, folder in sorted(shipped().items())]
    listed += [_listed_published(entry) for entry in published().values() if entry.trains]
    for path in sorted(_record_path("").parent.glob("*.json")):
        spec = unquote(path.stem)
        if spec not in published() and (pin := recorded_pin(spec)) and (here := cached_files(spec, pin)):
            listed.append(ListedModel(spec, "fetched", "", "", True, here.folder, here.bytes, pinned=False))
    for folder in sorted(models_folder().glob("*/")):
        try:
            found = files_in(folder)
        except SketchseekError:
            continue  # not a backbone
        listed.append(ListedModel(folder.name, "folder", "", "", True, folder, found.bytes, pinned=False))
    return listed


def _listed_shipped(name: str, found: BackboneFiles) -> ListedModel:
    about = found.settings
    return ListedModel(
        name,
        "shipped",
        str(about.get("about", "")),
        str(about.get("licence", "")),
        True,
        found.folder,
        found.bytes,
        pinned=True,
    )


def _listed_published(entry: Published) -> ListedModel:
    pin = entry.pin or recorded_pin(entry.name)
    here = cached_files(entry.name, pin) if pin else None
    return ListedModel(
        entry.name,
        "published",
        entry.about,
        entry.licence,
        here is not None,
        here.folder if here else None,
        here.bytes if here else entry.bytes,
        pinned=entry.pin is not None,
    )
