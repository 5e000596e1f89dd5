"""What is published of a model or a run: its weights, and a card that states figures, licence, data and recipe."""

import json
import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from sketchseek.engine.bases import BASE, OWN, split
from sketchseek.engine.folder import CARD, CONFIG, EngineError, read_record
from sketchseek.engine.models import find_model, required_model
from sketchseek.hub.catalog import published
from sketchseek.hub.fetch import is_hub_name
from sketchseek.hub.find import existing_path
from sketchseek.hub.upload import File, Prepared
from sketchseek.untrusted import read_bounded

RECIPE, ADAPTER = "recipe.toml", "adapter.safetensors"
PLACES = ("data", "backbone")  # keys of a recipe that may be paths of this machine
LICENCES = ("mit", "apache-2.0", "cc-by-4.0", "cc-by-nc-4.0", "cc-by-sa-4.0")  # that the hub knows by these names


@dataclass(frozen=True)
class _About:
    """What the head of a card states."""

    licence: str
    base: str
    kind: str


def is_run(name: str) -> bool:
    """Whether this is the path of a run folder."""
    place = existing_path(name)
    return place is not None and (place / RECIPE).is_file()


def prepare(name: str, repository: str, work: Path, model: Path | None = None) -> Prepared:
    """The files of a run folder, or of a model by name or folder, as they will lie in ``repository``.

    ``work``: an empty folder, for files that are made here. ``model``: the model folder that was made of the run.
    """
    if not is_hub_name(repository) or "@" in repository:
        raise EngineError(f"{repository} is not the name of a repository: write OWNER/NAME")
    if is_run(name):
        return _run(Path(name).expanduser(), repository, () if model is None else _model_files(model, work))
    folder = required_model(name)
    record = read_record(folder)
    files = _model_files(folder, work)
    return _with_card(folder, repository, _About(record.licence, _public(record.backbone), "onnx"), files)


def _model_files(folder: Path, work: Path) -> tuple[File, ...]:
    """The files of a model folder, without the weights that its backbone has, if that is a model here."""
    record = read_record(folder)
    config = json.dumps(replace(record, backbone=_public(record.backbone)).to_json(), indent=2) + "\n"
    names = sorted(record.files)
    spec = record.backbone
    base = find_model(spec) if is_hub_name(spec) else None
    made: tuple[File, ...] = ()
    if base is not None and base != folder and split(folder, base, spec, work):
        names = [name for name in names if name not in record.weights.values()]
        made = tuple(File(name, work / name) for name in (BASE, OWN))
    return (File(CONFIG, config.encode()), *(File(name, folder / name) for name in names), *made)


def _run(folder: Path, repository: str, model: tuple[File, ...]) -> Prepared:
    if not (folder / ADAPTER).is_file():
        raise EngineError(f"{folder / ADAPTER} is missing: train until the first state is saved")
    recipe = _without_paths((folder / RECIPE).read_text(encoding="utf-8"))
    base = str(tomllib.loads(recipe).get("backbone", ""))
    entry = published().get(base)
    about = _About(entry.licence if entry else "", base, "safetensors")
    files = (File(ADAPTER, folder / ADAPTER), File(RECIPE, recipe.encode()), *model)
    return _with_card(folder, repository, about, files)


def _with_card(folder: Path, repository: str, about: _About, files: tuple[File, ...]) -> Prepared:
    card = _head(about) + _body(folder, repository)
    return Prepared(repository, (File(CARD, card.encode()), *files), card)


def _public(name: str) -> str:
    """A backbone's name without the folders of this machine."""
    return name if is_hub_name(name) else PurePath(name).name or name


def _without_paths(recipe: str) -> str:
    """A recipe with the last part of each path: where folders lie on this machine is private."""

    def last(match: re.Match[str]) -> str:
        inside = _public(json.loads(match[2]))
        return f"{match[1]} = {json.dumps(inside, ensure_ascii=False)}"

    return re.sub(rf'^({"|".join(PLACES)}) = (".*")$', last, recipe, flags=re.MULTILINE)


def _head(about: _About) -> str:
    """The lines that the hub reads."""
    name = about.licence.partition(" ")[0].lower()
    lines = [f"license: {name}" if name in LICENCES else "license: other", "library_name: sketchseek"]
    if is_hub_name(about.base):
        lines.append(f"base_model: {about.base.partition('@')[0]}")
    lines += ["tags:", "- sketchseek", "- sketch-based-image-retrieval", f"- {about.kind}"]
    return "---\n" + "\n".join(lines) + "\n---\n\n"


def _body(folder: Path, repository: str) -> str:
    try:
        card = read_bounded(folder / CARD).decode()
    except (OSError, ValueError):
        raise EngineError(f"{folder / CARD}, the model card, cannot be read: write what the model is") from None
    if card.startswith("---\n"):  # the head of an earlier push
        card = card.partition("\n---\n")[2].lstrip()
    return f"{card.rstrip()}\n\n## Use it\n\n    sketchseek models get {repository}\n"
