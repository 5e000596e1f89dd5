"""Find model folders by name or path: those that ship, and those in the models folder."""

from pathlib import Path

from sketchseek.caches import models_folder
from sketchseek.engine.encoder import load
from sketchseek.engine.folder import SHIPPED, is_model
from sketchseek.errors import SketchseekError
from sketchseek.hub.catalog import shipped
from sketchseek.hub.fetch import is_hub_name
from sketchseek.hub.find import existing_path
from sketchseek.hub.names import folder_name, model_on_hub, unknown_name
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
    places = [existing_path(name_or_path)]
    if name and Path(name).name == name:
        places.append(models_folder() / name)
    elif is_hub_name(name):
        places.append(models_folder() / folder_name(name))
    # A folder of photos called "clip" must not hide the model of that name.
    return next((place for place in places if place is not None and is_model(place)), None)


def list_models() -> dict[str, Path]:
    """The model folders by name: those that ship and those in the models folder."""
    return {path.name: path for path in sorted(models_folder().glob("*/")) if is_model(path)} | shipped_models()


def load_search_model(name_or_path: str | Path = DEFAULT) -> Model:
    """The model for indexing and searching, from the model folder of a name or path. Never needs torch."""
    return load(required_model(name_or_path))


def required_model(name_or_path: str | Path) -> Path:
    """The model folder of a name or path; where there is none, an error that says how to get one."""
    if folder := find_model(name_or_path):
        return folder
    name = str(name_or_path)
    if spec := model_on_hub(name):
        raise SketchseekError(f"the model {name} is not on this machine: sketchseek models get {name} downloads {spec}")
    in_models_folder = name != "" and (models_folder() / name).exists()
    if name in shipped() or existing_path(name_or_path) or in_models_folder:
        raise SketchseekError(
            f"{name} is not a model folder, which searching requires: sketchseek models get PATH --name NAME makes one"
            f" from published weights, sketchseek export {name} --out FOLDER from a run"
        )
    raise unknown_name(name, list_models())
