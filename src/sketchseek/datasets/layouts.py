"""The shapes in which datasets lie on disk, each as the folders it is made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sketchseek.datasets.items import DatasetError

Role = Literal["sketch", "photo", "extended"]


@dataclass(frozen=True)
class Source:
    """A folder with one folder a class, all of one role."""

    folder: str  # relative to the root, with "/"
    role: Role
    group: str = ""  # of a layout that separates seen from unseen classes by folder


@dataclass(frozen=True)
class Layout:
    """A shape: where sketches and photos are. Folder names are compared without case."""

    name: str
    sketches: str
    photos: str
    extended: str = ""
    dataset: str = ""  # the dataset that this shape is only used for
    sources: tuple[Source, ...] = ()  # as found below a root
    flat: bool = False  # files directly in the folders, all of one class


# The first one that fits is taken, so a shape stands before the simpler ones it contains.
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
SEEN_AND_UNSEEN = {"train": "train", "val": "unseen"}  # one more shape: a simple tree in each of these folders


def recognise(root: Path) -> Layout:
    """The layout of a folder, with its sources; a sentence with what is there where none fits."""
    if not root.is_dir():
        raise DatasetError(f"{root} is no folder: name the folder that holds a dataset's sketches and photos")
    try:
        layout = _fit(root)
        if layout is not None:
            return layout
        inside = [entry.name for entry in _folders(root)]
        deeper = [name for name in inside if _fit(root / name) is not None]
    except OSError as error:
        raise DatasetError(f"{root} cannot be read ({error.strerror}): check its permissions") from error
    if deeper:
        raise DatasetError(f"{root} is not a dataset but holds some: name {' or '.join(str(root / d) for d in deeper)}")
    shown = ", ".join(inside[:8]) + (", ..." if len(inside) > 8 else "")
    raise DatasetError(
        f"{root} has the shape of no dataset: it needs sketch/<class>/ and photo/<class>/, or another layout that the "
        f"documentation names; its folders are {shown or '(none)'}"
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
    for shape in LAYOUTS:
        found_here = _sources(root, shape)
        roles = {source.role for source in found_here}
        # Sketchy's extension holds the basic photos too; elsewhere a tree without its photos has another shape.
        if "sketch" in roles and ("photo" in roles or ("extended" in roles and shape.dataset)):
            flat = shape.name == "simple" and not any(any(_folders(root / s.folder)) for s in found_here)
            name = "flat" if flat else shape.name
            return Layout(name, shape.sketches, shape.photos, shape.extended, shape.dataset, found_here, flat)
    return None


def _sources(root: Path, shape: Layout) -> tuple[Source, ...]:
    wanted: tuple[tuple[str, Role], ...] = (
        (shape.sketches, "sketch"),
        (shape.photos, "photo"),
        (shape.extended, "extended"),
    )
    return tuple(
        Source(found, role) for folder, role in wanted if folder and (found := find_folder(root, folder)) is not None
    )


def find_folder(root: Path, folder: str) -> str | None:
    """``folder`` (with "/") below the root, as it is really spelled; None where it is not."""
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
