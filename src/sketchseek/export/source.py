"""The source of an export, a run folder or a backbone, as a method that encodes pictures and texts."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from sketchseek.clip.weights import read_backbone
from sketchseek.engine.folder import EngineError
from sketchseek.evaluation.vectors.category import Category, open_support
from sketchseek.hub.catalog import published
from sketchseek.hub.find import existing_path, find_backbone
from sketchseek.methods.baselines import BaselineOptions, ZeroShot
from sketchseek.methods.method import Method
from sketchseek.methods.model import MethodModel
from sketchseek.pictures import prepare_batch
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


def open_source(name_or_path: str | Path, *, trust_pickle: bool = False, category: Category | None = None) -> Source:
    """The run folder or backbone with this name or path; ``category``: of a run that must be adapted to one."""
    place = existing_path(name_or_path)
    if place is not None and (place / files.RECIPE).is_file():
        return _run(place, category, trust_pickle=trust_pickle)
    if category is not None:
        raise EngineError(f"{name_or_path} is a backbone, which needs no category: omit --category and --support")
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


def _run(folder: Path, category: Category | None, *, trust_pickle: bool) -> Source:
    recipe = read_recipe(folder / files.RECIPE)
    model = load_run(folder, device="cpu", trust_pickle=trust_pickle)
    assert isinstance(model, MethodModel)
    method = model.method
    about = f"{recipe.method}, {recipe.setting}, trained on {json.dumps(Path(recipe.data).name)[1:-1]}"
    if category is not None:
        _adapt(model, category)
        about += f", adapted to {json.dumps(category.name)[1:-1]}"
    if reason := method.why_not_exported():
        raise EngineError(f"{folder} cannot be exported: it is a {recipe.setting} {recipe.method}, which {reason}")
    return Source(
        name=model.name,
        about=about,
        licence="",
        backbone=recipe.backbone,
        method=method,
    )


def _adapt(model: MethodModel, category: Category) -> None:
    """Let the method of a run encode pictures of one category."""
    adaptable, sketches, photos = category.split(model)
    drawn, shown = open_support(adaptable, sketches, photos)
    method, backbone = model.method, model.method.backbone
    with torch.no_grad():
        method.fix_category(
            category.name,
            torch.from_numpy(prepare_batch(drawn, backbone.sketches)),
            torch.from_numpy(prepare_batch(shown, backbone.photos)),
        )
