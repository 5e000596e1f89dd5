"""Find model folders by name or path: those that ship, and those in the models folder."""

from pathlib import Path

from sketchseek.caches import models_folder
from sketchseek.engine.encoder import load
from sketchseek.engine.folder import SHIPPED, is_model
from sketchseek.errors import SketchseekError
from sketchseek.hub.catalog import shipped
from sketchseek.hub.fetch import is_hub_name
from sketchseek.hub.find import existing_path
from sketchseek.model import Model

DEFAULT = "default"  # the model that ships, used unless another is named


def shipped_models() -> dict[str, Path]:
    """The model folders inside this package, by name."""
    return {path.name: path for path in sorted(SHIPPED.glob("*/")) if is_model(path)}


def find_model(name_or_path: str | Path) -> Path | None:
    """The model folder of a name or path: one that ships, a path, or one in the models folder; None if not found."""
    name = str(name_or_path)
    if name in (shipped := shipped_models()):
        return shipped[name]
    path = existing_path(name_or_path)
    if path is None and name and Path(name).name == name:
        path = models_folder() / name
    return path if path is not None and is_model(path) else None


def list_models() -> dict[str, Path]:
    """The model folders by name: those that ship and those in the models folder."""
    return {path.name: path for path in sorted(models_folder().glob("*/")) if is_model(path)} | shipped_models()


def load_search_model(name_or_path: str | Path = DEFAULT) -> Model:
    """The model for indexing and searching, from the model folder of a name or path. Never needs torch."""
    if folder := find_model(name_or_path):
        return load(folder)
    name = str(name_or_path)
    in_models_folder = name != "" and (models_folder() / name).exists()
    if name in shipped() or existing_path(name_or_path) or is_hub_name(name) or in_models_folder:
        raise SketchseekError(
            f"{name} is not a model folder, which searching requires: run sketchseek export {name} --out FOLDER "
            "and name that folder"
        )
    raise SketchseekError(
        f"no model {name!r}: name a folder made by sketchseek export, or one of {', '.join(list_models())}"
    )
