"""The preprocessing of a checkpoint: the files beside its weights -> our preprocessing records."""

from sketchseek.errors import SketchseekError
from sketchseek.hub.files import BackboneFiles, read_json
from sketchseek.pictures import Preprocessing
from sketchseek.pictures.published import published_preprocessing

__all__ = ["preprocessing_of"]


def preprocessing_of(files: BackboneFiles, *, side: int) -> tuple[Preprocessing, Preprocessing]:
    """The records for photos and for sketches, for an image tower with ``side`` pixels."""
    open_clip = files.settings.get("preprocess_cfg")
    try:
        return published_preprocessing(
            side,
            processor=None if files.preprocessor is None else read_json(files.preprocessor),
            open_clip=open_clip if isinstance(open_clip, dict) else None,
        )
    except SketchseekError as error:
        raise SketchseekError(f"{files.preprocessor or files.config}: {error}") from None
