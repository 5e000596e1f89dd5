"""Which model encodes for a gallery, and which vectors it may be compared with: only its own."""

from pathlib import Path

from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.records import ModelSet
from sketchseek.gallery.store_protocols import ModelSets
from sketchseek.model import Model
from sketchseek.wording import shown


def load_own(store: ModelSets) -> Model:
    """The model that the gallery was indexed with; for an empty gallery, the one that ships with sketchseek."""
    from sketchseek.engine.models import load_search_model

    where, current = shown(store.folder), store.current_model()
    if current is None:
        return load_search_model("default")
    model = load_search_model(current.source)
    if model.identity != current.identity:
        raise GalleryError(
            f"the model {current.source} is no longer the one that the gallery {where} was indexed with; index its "
            f"folders again with --model {current.source}, or restore the old model."
        )
    return model


def check_size(model_set: ModelSet, model: Model | ModelSet, gallery: Path | str) -> None:
    """Raise an error if ``model`` makes vectors of another size than it did before."""
    if model_set.size != model.size:
        raise GalleryError(
            f"the model {model.name} makes vectors of {model.size} numbers, but those it made for the gallery "
            f"{shown(gallery)} have {model_set.size}; name another model or another gallery."
        )


def set_of(store: ModelSets, model: Model) -> ModelSet | None:
    """The vectors that ``model`` made; None if the gallery is empty."""
    sets = store.models()
    for model_set in sets:
        if model_set.identity == model.identity:
            return model_set
    if not sets:
        return None
    names = " and ".join(sorted({one.name for one in sets}))
    raise GalleryError(
        f"the vectors in the gallery {shown(store.folder)} were made by {names}, and those of {model.name} cannot "
        f"be compared with them; search with --model {sets[-1].source}, or index the folders with --model {model.name}."
    )
