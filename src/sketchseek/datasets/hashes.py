"""Hashes that tell one sample of a dataset from another: of its file names, and of the files themselves."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from sketchseek.datasets.galleries import gallery, queries
from sketchseek.datasets.items import Dataset, DatasetError, Drawing, Photo
from sketchseek.parallel import map_ahead, usable_cores


@dataclass(frozen=True)
class Hashes:
    """SHA-256 hashes over the sketches and photos of a group of classes; the same wherever the folders are."""

    classes: str  # which: all, or a group of a split as in "sketchy-21:unseen"
    names: str  # of the sorted lines "sketch/<class>/<file name>" and "photo/<class>/<file name>"
    files: str | None = None  # of the same lines, each with the SHA-256 of its file; None: the files were not read


def names_hash(dataset: Dataset, classes: Collection[str]) -> str:
    """Over the names of the files of these classes (canonical names); opens no file."""
    return _hash(_line(item) for item in _items(dataset, classes))


def files_hash(dataset: Dataset, classes: Collection[str]) -> str:
    """Over the names and the contents of the files of these classes; reads each file once."""

    def line(item: Drawing | Photo) -> str:
        return f"{_line(item)} {_digest(dataset.file(item))}"

    workers = usable_cores()
    return _hash(map_ahead(line, _items(dataset, classes), workers=workers, depth=8 * workers))


def _items(dataset: Dataset, classes: Collection[str]) -> tuple[Drawing | Photo, ...]:
    return (*queries(dataset, classes), *gallery(dataset, classes))


def _line(item: Drawing | Photo) -> str:
    """The same for every layout: only the class and the file's own name count."""
    kind = "sketch" if isinstance(item, Drawing) else "photo"
    return f"{kind}/{item.label}/{item.path.rpartition('/')[2]}"


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DatasetError(f"{file} cannot be read ({error.strerror}): repair or remove it") from error


def _hash(lines: Iterable[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()
