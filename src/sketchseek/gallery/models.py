"""Which model encodes for a gallery, and whose vectors it is compared with: never those of another."""

import os
from pathlib import Path

from sketchseek.gallery.catalogue import Catalogue, ModelSet, absolute
from sketchseek.gallery.errors import GalleryError, shown
from sketchseek.gallery.stores import Sets
from sketchseek.gallery.writer import Writer
from sketchseek.model import Model


def load_own(catalogue: Sets) -> Model:
    """The model that the gallery was indexed with; for a gallery that knows none yet, the one that ships."""
    from sketchseek.model import load_search_model

    where, current = shown(catalogue.folder), catalogue.current_model()
    if current is None:
        return load_search_model("default")
    model = load_search_model(current.source)
    if model.identity != current.identity:
        raise GalleryError(
            f"the model {current.source} is no longer the one that the gallery {where} was indexed with; index its "
            f"folders again with --model {current.source}, or bring the old model back."
        )
    return model


def set_of(catalogue: Catalogue, model: Model) -> ModelSet | None:
    """The vectors that can be compared with what ``model`` says; None if the gallery is empty."""
    sets = catalogue.models()
    for model_set in sets:
        if model_set.identity == model.identity:
            return model_set
    if not sets:
        return None
    names = " and ".join(sorted({one.name for one in sets}))
    raise GalleryError(
        f"the vectors in the gallery {shown(catalogue.folder)} were made by {names}, and those of {model.name} cannot "
        f"be compared with them; search with --model {sets[-1].source}, or index the folders with --model {model.name}."
    )


def register(catalogue: Writer, model: Model, source: str) -> ModelSet:
    """The set that ``model`` adds to, a new one if need be; ``source``: what loads it again."""
    for model_set in catalogue.models():
        if model_set.identity == model.identity:
            if model_set.size != model.size:
                raise GalleryError(
                    f"the model {model.name} makes vectors of {model.size} numbers, but those it made for the gallery "
                    f"{shown(catalogue.folder)} have {model_set.size}; name another model or another gallery."
                )
            return model_set
    if Path(source).exists():
        source = os.fsdecode(absolute(source))  # the next command may be called from another folder
    with catalogue.batch():
        return catalogue.add_model(model.identity, model.name, source, model.size)
