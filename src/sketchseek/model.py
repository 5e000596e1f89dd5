"""What searching and evaluating need of a model, whatever it is made of, and the one call that loads one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeGuard

from sketchseek.errors import SketchseekError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from sketchseek.pictures import Sketch


class Model(Protocol):
    """Photos, sketches and words -> vectors of one space.

    Every ``encode_*`` returns float32 of shape (n, ``size``) with rows of length 1; a row never depends on the other
    rows.
    """

    @property
    def name(self) -> str:
        """What people call it: ``openai/clip-vit-base-patch32``, the name of a run folder."""

    @property
    def identity(self) -> str:
        """A hash over weights, method and preprocessing: vectors of two identities never mix."""

    @property
    def size(self) -> int:
        """Width of a vector."""

    @property
    def photo_side(self) -> int:
        """Shortest side in px that a photo needs: ``load_photo(..., target=model.photo_side)`` decodes no finer."""

    def encode_photos(self, photos: "Sequence[NDArray[np.uint8]]") -> "NDArray[np.float32]":
        """Upright RGB arrays (height, width, 3), as ``pictures.load_photo`` gives them."""

    def encode_sketches(self, sketches: "Sequence[Sketch]") -> "NDArray[np.float32]":
        """Sketches as ``pictures.load_sketch`` gives them."""

    def encode_texts(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Words or short phrases, as they are: no template is added."""


class CategoryModel(Model, Protocol):
    """A model that can be adapted to one category from its name and a few pictures of it."""

    def for_category(self, name: str, sketches: "Sequence[Sketch]", photos: "Sequence[NDArray[np.uint8]]") -> Model:
        """The model for one category: ``name`` in words, support pictures as ``encode_*`` takes them.

        Its ``identity`` covers the category and the support pictures, because its vectors depend on them.
        """


def is_category_model(model: Model) -> TypeGuard[CategoryModel]:
    """Whether the model offers ``for_category``."""
    return callable(getattr(model, "for_category", None))


def load_model(name_or_path: "str | Path", *, device: str | None = None, trust_pickle: bool = False) -> Model:
    """The model of a name or a path, ready to encode.

    A model folder of ``sketchseek export`` (``default`` ships), which needs no torch; or, with it, a backbone's folder
    or weights file, a run folder of ``sketchseek train``, a folder in the models directory, ``owner/model`` on the hub.
    ``device``: ``cpu``, ``cuda``, ...; for what needs torch a GPU is used where there is one, unless told.
    ``trust_pickle``: open weights that are pickles, whose author must be trusted.
    """
    from sketchseek.clip.find import existing, find_backbone
    from sketchseek.engine import find_model, load

    if folder := find_model(name_or_path):
        return load(folder, provider=device and device.partition(":")[0])
    place = existing(name_or_path)
    run = place if place is not None and (place / "recipe.toml").is_file() else None
    try:
        if run is not None:
            from sketchseek.training.run import load_run

            return load_run(run, device=device, trust_pickle=trust_pickle)
        files = find_backbone(name_or_path, trust_pickle=trust_pickle)
        from sketchseek.clip.encoder import load_backbone_model

        return load_backbone_model(files, device=device)
    except ModuleNotFoundError as error:
        raise SketchseekError(
            f"{name_or_path} needs {error.name}, which is not installed: pip install 'sketchseek[train]'"
        ) from None


def load_search_model(name_or_path: "str | Path" = "default") -> Model:
    """The model folder of a name or a path: what indexing and searching encode with. Never needs torch."""
    from sketchseek.engine import find_model, list_models, load

    if folder := find_model(name_or_path):
        return load(folder)
    from sketchseek.clip.catalog import models_dir, shipped
    from sketchseek.clip.fetch import is_hub_name
    from sketchseek.clip.find import existing

    name = str(name_or_path)
    if name in shipped() or existing(name_or_path) or is_hub_name(name) or (name and (models_dir() / name).exists()):
        raise SketchseekError(
            f"{name} is no model folder, and searching uses nothing else: run sketchseek export {name} --out FOLDER "
            "and name that folder"
        )
    raise SketchseekError(
        f"no model {name!r}: name a folder that sketchseek export wrote, or one of {', '.join(list_models())}"
    )
