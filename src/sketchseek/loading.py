"""Load any model by its name or path: a model folder, a backbone or a run folder."""

from pathlib import Path

from sketchseek.errors import SketchseekError
from sketchseek.installation import extra_command
from sketchseek.model import Model


def load_model(name_or_path: str | Path, *, device: str | None = None, trust_pickle: bool = False) -> Model:
    """The model with this name or path, ready to encode.

    A model folder made by ``sketchseek export`` (``default`` ships) needs no torch. These need torch: a backbone's
    folder or weights file, a run folder of ``sketchseek train``, ``owner/model`` on the hub. Folders in the models
    folder can be named without their path. ``device``: ``cpu``, ``cuda``, ...; by default models that need torch use a
    GPU if there is one. ``trust_pickle``: also open weights that are pickles; trust their author.
    """
    from sketchseek.engine import find_model, load
    from sketchseek.hub.find import existing_path, find_backbone

    if folder := find_model(name_or_path):
        return load(folder, provider=device and device.partition(":")[0])
    place = existing_path(name_or_path)
    try:
        if place is not None and (place / "recipe.toml").is_file():
            from sketchseek.training.run import load_run

            return load_run(place, device=device, trust_pickle=trust_pickle)
        files = find_backbone(name_or_path, trust_pickle=trust_pickle)
        from sketchseek.methods.model import load_zero_shot

        return load_zero_shot(files, device=device)
    except ModuleNotFoundError as error:
        raise SketchseekError(
            f"{name_or_path} needs {error.name}, which is not installed; run: {extra_command('train')}"
        ) from None
