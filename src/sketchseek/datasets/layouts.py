"""The folder layouts of datasets, and how a dataset's layout is recognised."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sketchseek.datasets.items import DatasetError

Role = Literal["sketch", "photo", "extended"]


@dataclass(frozen=True)
class Source:
    """A folder of class folders whose files all have one role."""

    folder: str  # relative to the root, with "/"
    role: Role
    group: str = ""  # if the layout has folders for seen and unseen classes


@dataclass(frozen=True)
class Layout:
    """A layout: the folders of sketches and photos. Folder names are compared without case."""

    name: str
    sketches: str
    photos: str
    extended: str = ""
    dataset: str = ""  # the only dataset with this layout
    sources: tuple[Source, ...] = ()  # as found in a dataset
    flat: bool = False  # files are directly in the folders, all of one class


# The first layout that fits is used, so a layout comes before the simpler ones that it contains.
LAYOUTS = (
    Layout(
        "sake-sketchy",
        "256x256/sketch/tx_000000000000_ready",
        "256x256/photo/tx_000000000000_ready",
        "EXTEND_image_sketchy_ready",
        "sketchy",
    ),
    Layout("sake-tuberlin", "png_ready", "ImageResized_ready", dataset="tuberlin"),
    Layout("sketchy", "256x256/sketch/tx_000000000000", "256x256/photo/tx_000000000000", "extended_photo", "sketchy"),
    Layout("sem-pcyc", "sketch/tx_000000000000", "photo/tx_000000000000", "extended_photo", "sketchy"),
    Layout("photo-basic", "sketch", "photo_basic", "photo"),
    Layout("simple", "sketch", "photo", "extended_photo"),
    Layout("simple", "sketches", "photos"),
    Layout("simple", "sketches", "images"),
)
SEEN_AND_UNSEEN = {"train": "train", "val": "unseen"}  # one more layout: a simple tree in each of these folders


def recognise(root: Path) -> Layout:
    """The layout of a folder, with its sources; an error that lists its folders if no layout fits."""
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder: name the folder with the dataset's sketches and photos")
    try:
        layout = _fit(root)
        if layout is not None:
            return layout
        inside = [entry.name for entry in _folders(root)]
        deeper = [name for name in inside if _fit(root / name) is not None]
    except OSError as error:
        raise DatasetError(f"{root} cannot be read ({error.strerror}): check its permissions") from error
    if deeper:
        choices = " or ".join(str(root / name) for name in deeper)
        raise DatasetError(f"{root} is not a dataset but contains some: name {choices}")
    names = ", ".join(inside[:8]) + (", ..." if len(inside) > 8 else "")
    raise DatasetError(
        f"{root} has no known layout: it needs sketch/<class>/ and photo/<class>/, or another layout of the "
        f"documentation; its folders are {names or '(none)'}"
    )


def _fit(root: Path) -> Layout | None:
    parts = {name: found for name in SEEN_AND_UNSEEN if (found := find_folder(root, name))}
    if len(parts) == len(SEEN_AND_UNSEEN):
        sources = [
            Source(f"{found}/{inner.folder}", inner.role, SEEN_AND_UNSEEN[name])
            for name, found in parts.items()
            for inner in _sources(root / found, Layout("", "sketch", "photo"))
        ]
        if {source.role for source in sources} == {"sketch", "photo"}:
            return Layout("train-val", "{train,val}/sketch", "{train,val}/photo", sources=tuple(sources))
    for layout in LAYOUTS:
        found_here = _sources(root, layout)
        roles = {source.role for source in found_here}
        # Sketchy's extension contains the basic photos too; in other layouts photos are required.
        if "sketch" in roles and ("photo" in roles or ("extended" in roles and layout.dataset)):
            flat = layout.name == "simple" and not any(any(_folders(root / s.folder)) for s in found_here)
            name = "flat" if flat else layout.name
            return Layout(name, layout.sketches, layout.photos, layout.extended, layout.dataset, found_here, flat)
    return None


def _sources(root: Path, layout: Layout) -> tuple[Source, ...]:
    wanted: tuple[tuple[str, Role], ...] = (
        (layout.sketches, "sketch"),
        (layout.photos, "photo"),
        (layout.extended, "extended"),
    )
    return tuple(
        Source(found, role) for folder, role in wanted if folder and (found := find_folder(root, folder)) is not None
    )


def find_folder(root: Path, folder: str) -> str | None:
    """``folder`` (with "/") below the root, as it is spelled on disk; None if it does not exist."""
    spelled: list[str] = []
    for part in folder.split("/"):
        inside = [entry.name for entry in _folders(root.joinpath(*spelled))]
        matches = [name for name in inside if name == part] or [n for n in inside if n.casefold() == part.casefold()]
        if not matches:
            return None
        spelled.append(matches[0])
    return "/".join(spelled)


def _folders(folder: Path) -> Iterator[Path]:
    return (entry for entry in sorted(folder.iterdir()) if _is_folder(entry) and not entry.name.startswith("."))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a symbolic link to itself
        return False
