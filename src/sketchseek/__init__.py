"""Find photos from drawings.

The names below are the public API. They are imported on first use, so that ``import sketchseek`` is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sketchseek.errors import SketchseekError as SketchseekError
    from sketchseek.gallery import Gallery as Gallery
    from sketchseek.gallery import Hit as Hit
    from sketchseek.gallery import Query as Query
    from sketchseek.loading import load_model as load_model
    from sketchseek.model import Model as Model

__version__ = "0.1.0"

_HOMES = {
    "Gallery": "sketchseek.gallery",
    "Hit": "sketchseek.gallery",
    "Model": "sketchseek.model",
    "Query": "sketchseek.gallery",
    "SketchseekError": "sketchseek.errors",
    "load_model": "sketchseek.loading",
}
__all__ = ["Gallery", "Hit", "Model", "Query", "SketchseekError", "__version__", "load_model"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sketchseek' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
