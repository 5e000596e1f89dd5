"""Presets: values from the papers, from released code and our own, as data files, one per method."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from sketchseek.methods.method import Setting
from sketchseek.methods.registry import METHODS, method_class
from sketchseek.training.errors import TrainingError
from sketchseek.training.recipe import Recipe, make_recipe
from sketchseek.wording import nearest

#: Keys that open an inner table instead of naming a value.
SCOPES = ("category", "fine-grained", "sketchy", "tuberlin", "quickdraw", "custom")
#: The key that limits a preset to one setting.
ONLY = "only"


@cache
def presets_of(method: str) -> dict[str, Any]:
    """The tables of ``presets/METHOD.toml``: preset -> keys of a recipe, and inner tables by setting, then by dataset.

    A method of another package has them in its class, as ``presets``. ``default`` is always there; unless a method
    defines it, it changes nothing: every value is the default of the recipe or of the method's options.
    """
    if method in METHODS:
        file = files("sketchseek.training") / "presets" / f"{method}.toml"
        if file.is_file():
            return tomllib.loads(file.read_text(encoding="utf-8"))
    return {"default": {}, **method_class(method).presets}


def preset_values(method: str, preset: str, setting: Setting, dataset: str) -> dict[str, Any]:
    """The values of a preset for a setting and a dataset; inner tables override outer ones."""
    presets = presets_of(method)
    if preset not in presets:
        close = nearest(preset, presets) or sorted(presets)
        raise TrainingError(f"{method} has no preset {preset!r}: choose {' or '.join(close)}")
    table = presets[preset]
    if table.get(ONLY, setting) != setting:
        raise TrainingError(
            f"the preset {preset} of {method} has values for --setting {table[ONLY]} alone: choose that setting, or "
            "another preset"
        )
    return _layered(table, (setting, dataset))


def _layered(table: Mapping[str, Any], scopes: tuple[str, ...]) -> dict[str, Any]:
    values = {key: value for key, value in table.items() if key not in (*SCOPES, ONLY)}
    for scope in scopes:
        if scope in table:
            values |= _layered(table[scope], tuple(other for other in scopes if other != scope))
    return values


def recipe_from_preset(
    method: str, preset: str, setting: Setting, dataset: str, given: Mapping[str, Any], source: str
) -> Recipe:
    """The preset's values with ``given`` ones over them; ``dataset`` is sketchy, tuberlin, quickdraw or custom."""
    values = preset_values(method, preset, setting, dataset)
    make_recipe(method, {"data": "", **values}, f"preset {preset} of {method}")  # reports a wrong key as the preset's
    return make_recipe(method, {**values, "preset": preset, "setting": setting, **given}, source)
