"""The one call that loads any model by its name or path, whatever it is made of."""

from pathlib import Path

from sketchseek.errors import SketchseekError
from sketchseek.model import Model


def load_model(name_or_path: str | Path, *, device: str | None = None, trust_pickle: bool = False) -> Model:
    """The model of a name or a path, ready to encode.

    A model folder of ``sketchseek export`` (``default`` ships), which needs no torch; or, with it, a backbone's folder
    or weights file, a run folder of ``sketchseek train``, a folder in the models folder, ``owner/model`` on the hub.
    ``device``: ``cpu``, ``cuda``, ...; what needs torch uses a GPU where there is one, unless a device is named.
    ``trust_pickle``: open weights that are pickles, whose author must be trusted.
    """
    from sketchseek.engine import find_model, load
    from sketchseek.hub.find import existing, find_backbone

    if folder := find_model(name_or_path):
        return load(folder, provider=device and device.partition(":")[0])
    place = existing(name_or_path)
    try:
        if place is not None and (place / "recipe.toml").is_file():
            from sketchseek.training.run import load_run

            return load_run(place, device=device, trust_pickle=trust_pickle)
        files = find_backbone(name_or_path, trust_pickle=trust_pickle)
        from sketchseek.methods.model import load_zero_shot

        return load_zero_shot(files, device=device)
    except ModuleNotFoundError as error:
        raise SketchseekError(
            f"{name_or_path} needs {error.name}, which is not installed: pip install 'sketchseek[train]'"
        ) from None
