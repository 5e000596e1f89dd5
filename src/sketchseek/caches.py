"""Where sketchseek keeps its own files: models, caches, thumbnails. Deleting a cache loses time and nothing else."""

import os
from pathlib import Path

from platformdirs import user_cache_path, user_data_path

from sketchseek.errors import SketchseekError

MODELS = "SKETCHSEEK_MODELS"
CACHE = "SKETCHSEEK_CACHE"


def models_folder() -> Path:
    """The folder of models: the one named in $SKETCHSEEK_MODELS, else below the user's data folder."""
    named = os.environ.get(MODELS)
    try:
        return Path(named).expanduser() if named else user_data_path("sketchseek") / "models"
    except RuntimeError:  # "~name" of a user without a home
        raise SketchseekError(f"{MODELS} is {named}, whose home is unknown: name a folder") from None


def cache_folder() -> Path:
    """Where vectors and prepared pictures are kept: the folder named in $SKETCHSEEK_CACHE, else the user's cache."""
    named = os.environ.get(CACHE)
    return Path(named) if named else user_cache_path("sketchseek")


def thumbnails_folder() -> Path:
    """Where the server keeps small pictures."""
    return user_cache_path("sketchseek", appauthor=False) / "thumbnails"
