"""The source of an export, a run folder or a backbone, as a method that encodes pictures and texts."""

import json
from dataclasses import dataclass
from pathlib import Path

from sketchseek.clip.weights import read_backbone
from sketchseek.engine.folder import EngineError
from sketchseek.hub.catalog import published
from sketchseek.hub.find import existing_path, find_backbone
from sketchseek.methods.baselines import BaselineOptions, ZeroShot
from sketchseek.methods.method import Method
from sketchseek.methods.model import MethodModel
from sketchseek.training import files
from sketchseek.training.recipe import read_recipe
from sketchseek.training.run import load_run


@dataclass(frozen=True)
class Source:
    """A frozen method on the CPU, with facts for the model card."""

    name: str
    about: str
    licence: str
    backbone: str
    method: Method


def open_source(name_or_path: str | Path, *, trust_pickle: bool = False) -> Source:
    """The run folder or backbone with this name or path."""
    place = existing_path(name_or_path)
    if place is not None and (place / files.RECIPE).is_file():
        return _run(place, trust_pickle=trust_pickle)
    found = find_backbone(name_or_path, trust_pickle=trust_pickle)
    method = ZeroShot(read_backbone(found), (), "category", BaselineOptions()).eval().requires_grad_(False)
    known, written = published().get(found.name), found.settings
    return Source(
        name=found.name,
        about=known.about if known else str(written.get("about", "")),
        licence=known.licence if known else str(written.get("licence", "")),
        backbone=found.name,
        method=method,
    )


def _run(folder: Path, *, trust_pickle: bool) -> Source:
    recipe = read_recipe(folder / files.RECIPE)
    model = load_run(folder, device="cpu", trust_pickle=trust_pickle)
    assert isinstance(model, MethodModel)
    method = model.method
    if reason := method.why_not_exported():
        raise EngineError(f"{folder} cannot be exported: it is a {recipe.setting} {recipe.method}, which {reason}")
    return Source(
        name=model.name,
        about=f"{recipe.method}, {recipe.setting}, trained on {json.dumps(Path(recipe.data).name)[1:-1]}",
        licence="",
        backbone=recipe.backbone,
        method=method,
    )
