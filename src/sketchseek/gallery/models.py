"""Which model encodes for a gallery, and whose vectors it is compared with: never those of another."""

from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.records import ModelSet
from sketchseek.gallery.store import ModelSets
from sketchseek.model import Model
from sketchseek.wording import shown


def load_own(catalogue: ModelSets) -> Model:
    """The model that the gallery was indexed with; for a gallery that knows none yet, the one that ships."""
    from sketchseek.engine.models import load_search_model

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


def set_of(catalogue: ModelSets, model: Model) -> ModelSet | None:
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
