"""The models that searching can use: those on this machine, and the published ones that can be downloaded by name."""

from pathlib import Path

from sketchseek.engine.folder import read_record
from sketchseek.engine.models import list_models, shipped_models
from sketchseek.errors import SketchseekError
from sketchseek.hub.catalog import ListedModel, Published, short_names


def known_models() -> list[ListedModel]:
    """The model folders here with their size on disk, then the published models that are not here, with the download's.

    Reads the records of the folders, not their other files.
    """
    here, known = list_models(), short_names()
    found = [_here(name, folder, known.get(name.removesuffix("-int8"))) for name, folder in here.items()]
    return [*found, *(_published(entry) for name, entry in known.items() if name not in here)]


def _here(name: str, folder: Path, entry: Published | None) -> ListedModel:
    ships = name in shipped_models()
    try:
        record = read_record(folder)
        about, licence = record.about, record.licence
    except SketchseekError as error:
        about, licence = f"cannot be used: {error}", ""
    languages, speed = (entry.languages, entry.speed) if entry else ("", "")
    if ships:
        languages, speed = "English", "very fast"
    size = sum(path.stat().st_size for path in folder.iterdir())
    return ListedModel(name, "model", about, licence, True, folder, size, ships, languages, speed)


def _published(entry: Published) -> ListedModel:
    pinned = entry.pin is not None
    return ListedModel(
        entry.short, "model", entry.about, entry.licence, False, None, entry.bytes, pinned, entry.languages, entry.speed
    )
