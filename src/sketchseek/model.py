"""What searching and evaluating need of a model, whatever it is made of, and the one call that loads one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeGuard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sketchseek.pictures import Preprocessing, Sketch


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


class PatchRecord(Protocol):
    """How a model prepares pictures, and which graphs it has by name."""

    photos: "Preprocessing"
    sketches: "Preprocessing"
    graphs: dict[str, str]


class PatchModel(Model, Protocol):
    """A model that also has a vector for each patch of a picture; ``grid`` is the number of patches a side."""

    grid: int
    record: PatchRecord

    def patches_photos(self, photos: "Sequence[NDArray[np.uint8]]") -> "NDArray[np.float32]":
        """(n, grid * grid, size), row by row from the top left."""

    def patches_sketches(self, sketches: "Sequence[Sketch]") -> "NDArray[np.float32]":
        """The same for sketches."""


def has_patches(model: Model) -> TypeGuard[PatchModel]:
    """Whether the model offers ``patches_photos`` and ``patches_sketches``."""
    return {"photo_patches", "sketch_patches"} <= set(getattr(getattr(model, "record", None), "graphs", ()))
