"""A folder, a file, a folder of ours or a name on the hub -> the files of a backbone. Needs no torch."""

from contextlib import suppress
from pathlib import Path

from sketchseek.clip.catalog import models_dir
from sketchseek.clip.fetch import fetch, is_hub_name
from sketchseek.clip.files import BackboneFiles, files_in
from sketchseek.errors import SketchseekError

__all__ = ["find_backbone"]


def find_backbone(name_or_path: str | Path, *, trust_pickle: bool = False) -> BackboneFiles:
    """What is meant: a path that exists, else a folder in ``models_dir``, else ``owner/model`` on the hub."""
    path = Path(name_or_path)
    with suppress(RuntimeError):  # "~somebody" who has no home
        path = path.expanduser()
    if path.exists():
        return files_in(path, trust_pickle=trust_pickle)
    name = str(name_or_path)
    if name and Path(name).name == name and (models_dir() / name).is_dir():
        return files_in(models_dir() / name, name=name, trust_pickle=trust_pickle)
    if is_hub_name(name):
        return fetch(name)
    raise SketchseekError(
        f"no model {name!r}: name a folder with config.json and model.safetensors, a weights file with tokenizer.json"
        f" beside it, a folder in {models_dir()}, or a model of the hub such as openai/clip-vit-base-patch32"
    )
