"""A path, a folder in the models folder, or a name on the hub -> the files of a backbone."""

import os
from pathlib import Path

from sketchseek.caches import models_folder
from sketchseek.errors import SketchseekError
from sketchseek.hub.catalog import shipped
from sketchseek.hub.fetch import fetch, is_hub_name
from sketchseek.hub.files import BackboneFiles, files_in

__all__ = ["existing_path", "find_backbone"]


def existing_path(name_or_path: str | Path) -> Path | None:
    """The file or folder at a path; None if it does not exist, an error if it may not be read."""
    path = Path(name_or_path)
    try:
        path = path.expanduser()
        if not path.exists():
            return None
    except RuntimeError:  # "~name" of a user without a home
        return None
    except OSError as error:
        raise SketchseekError(f"{path} cannot be opened as a model: {error.strerror}") from None
    if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
        raise SketchseekError(f"{path} cannot be opened as a model: permission to read it is denied")
    return path


def find_backbone(name_or_path: str | Path, *, trust_pickle: bool = False) -> BackboneFiles:
    """The backbone that ships under this name, else at this path, in ``models_folder``, or on the hub."""
    name = str(name_or_path)
    if name in shipped():
        return files_in(shipped()[name], name=name)
    if path := existing_path(name_or_path):
        return files_in(path, trust_pickle=trust_pickle)
    if name and Path(name).name == name and (models_folder() / name).is_dir():
        return files_in(models_folder() / name, name=name, trust_pickle=trust_pickle)
    if is_hub_name(name):
        return fetch(name)
    raise SketchseekError(
        f"no model {name!r}: name a folder with config.json and model.safetensors, a weights file with tokenizer.json"
        f" next to it, a folder in {models_folder()}, or a model of the hub such as openai/clip-vit-base-patch32"
    )
