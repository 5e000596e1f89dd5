"""Protocols of models: what search and evaluation require, and what some models offer in addition."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeGuard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sketchseek.pictures import Preprocessing, Sketch


class Model(Protocol):
    """Photos, sketches and texts -> vectors in one space.

    Every ``encode_*`` returns float32 (n, ``size``) with rows of length 1; a row never depends on the other rows.
    """

    @property
    def name(self) -> str:
        """Its name for people, such as ``openai/clip-vit-base-patch32`` or the name of a run folder."""

    @property
    def identity(self) -> str:
        """A hash over weights, method and preprocessing: vectors of different identities cannot be compared."""

    @property
    def size(self) -> int:
        """Width of a vector."""

    @property
    def photo_side(self) -> int:
        """Shortest side of a photo that the model needs, in px, for ``load_photo(..., target=model.photo_side)``."""

    def encode_photos(self, photos: "Sequence[NDArray[np.uint8]]") -> "NDArray[np.float32]":
        """Upright RGB arrays (height, width, 3), as ``pictures.load_photo`` returns them."""

    def encode_sketches(self, sketches: "Sequence[Sketch]") -> "NDArray[np.float32]":
        """Sketches as ``pictures.load_sketch`` returns them."""

    def encode_texts(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Words or short phrases; no prompt template is added."""


class CategoryModel(Model, Protocol):
    """A model that can be adapted to one category from its name and a few pictures of it."""

    @property
    def support(self) -> tuple[int, int]:
        """How many sketches and photos of a category it is adapted with."""

    def for_category(self, name: str, sketches: "Sequence[Sketch]", photos: "Sequence[NDArray[np.uint8]]") -> Model:
        """The model for one category. ``name``: in words; ``sketches``, ``photos``: examples, as for ``encode_*``.

        Its ``identity`` includes the category and the examples, because its vectors depend on them.
        """


def is_category_model(model: Model) -> TypeGuard[CategoryModel]:
    """Whether the model offers ``for_category``."""
    return callable(getattr(model, "for_category", None))


class LinesModel(Model, Protocol):
    """A model that also says where a person would draw lines over a photo: its outlines, ``line_bytes`` for each photo.

    They do not depend on the other photos. What the bytes mean is up to the model; galleries only keep them.
    """

    line_bytes: int

    def encode_photos_with_lines(
        self, photos: "Sequence[NDArray[np.uint8]]"
    ) -> "tuple[NDArray[np.float32], NDArray[np.uint8]]":
        """The vectors of ``encode_photos``, and lines (n, ``line_bytes``)."""


def has_lines(model: Model | None) -> TypeGuard[LinesModel]:
    """Whether the model offers ``encode_photos_with_lines``."""
    return bool(getattr(model, "line_bytes", None))


class GuessingModel(Model, Protocol):
    """A model that has learned names of drawings; ``can_guess`` is true."""

    can_guess: bool

    def guess(self, vectors: "NDArray[np.float32]") -> list[list[str]]:
        """A few names of what each drawing may be, likeliest first; none where the model is not sure enough.

        ``vectors``: (n, ``size``), as ``encode_sketches`` returns them.
        """


def can_guess(model: Model) -> TypeGuard[GuessingModel]:
    """Whether the model offers ``guess``."""
    return bool(getattr(model, "can_guess", False))


class PatchRecord(Protocol):
    """How a model prepares pictures, and the names of its graphs."""

    photos: "Preprocessing"
    sketches: "Preprocessing"
    graphs: dict[str, str]


class PatchModel(Model, Protocol):
    """A model that also has a vector for each patch of a picture; ``grid`` is the number of patches per side."""

    grid: int
    record: PatchRecord

    def patches_photos(self, photos: "Sequence[NDArray[np.uint8]]") -> "NDArray[np.float32]":
        """(n, grid * grid, size), row by row from the top left."""

    def patches_sketches(self, sketches: "Sequence[Sketch]") -> "NDArray[np.float32]":
        """The same for sketches."""


def has_patches(model: Model) -> TypeGuard[PatchModel]:
    """Whether the model offers ``patches_photos`` and ``patches_sketches``."""
    return {"photo_patches", "sketch_patches"} <= set(getattr(getattr(model, "record", None), "graphs", ()))
