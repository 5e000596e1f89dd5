"""The folders of sketchseek's own files: models, caches, thumbnails. A deleted cache is rebuilt when needed."""

import os
from pathlib import Path

from platformdirs import user_cache_path, user_data_path

from sketchseek.errors import SketchseekError

MODELS = "SKETCHSEEK_MODELS"
CACHE = "SKETCHSEEK_CACHE"


def models_folder() -> Path:
    """The folder of models: $SKETCHSEEK_MODELS, else a folder in the user's data folder."""
    named = os.environ.get(MODELS)
    try:
        return Path(named).expanduser() if named else user_data_path("sketchseek") / "models"
    except RuntimeError:  # "~name" of a user without a home
        raise SketchseekError(f"{MODELS} is {named}, whose home is unknown: name a folder") from None


def cache_folder() -> Path:
    """The folder of vectors and prepared pictures: $SKETCHSEEK_CACHE, else a folder in the user's cache folder."""
    named = os.environ.get(CACHE)
    return Path(named) if named else user_cache_path("sketchseek")


def thumbnails_folder() -> Path:
    """The folder of the server's thumbnails."""
    return user_cache_path("sketchseek", appauthor=False) / "thumbnails"
