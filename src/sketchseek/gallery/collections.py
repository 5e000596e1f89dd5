"""Collections of photos and saved searches, which a gallery keeps; and copying photos out of it.

A collection refers to photos by their content: it survives moves, and photos that are removed from the gallery are
in it again when they return.
"""

import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.hits import Hit
from sketchseek.gallery.paths import AnyPath
from sketchseek.pictures.sources import MAX_FILE_BYTES
from sketchseek.untrusted import read_bounded
from sketchseek.wording import nearest, shown

MAX_NAME = 100  # characters
MAX_NAME_BYTES = 200  # of a file or folder that is named after a collection; systems allow 255
# Names of devices on Windows, also with a suffix.
RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{name}{number}" for name in ("COM", "LPT") for number in range(1, 10))}
MAX_QUERY = 4 * 2**20  # bytes of a saved search as JSON


@dataclass(frozen=True, slots=True)
class Collection:
    """A named list of photos: ``photos`` of them have a file now, ``missing`` have none."""

    name: str
    photos: int
    missing: int
    made: datetime


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A named search: whatever its page or program needs to run it again."""

    name: str
    query: dict[str, Any]
    made: datetime


class Collections(ABC):
    """The collections and saved searches of a gallery (``Gallery.collections``).

    Every error is a ``GalleryError``, also a name or an id that does not exist.
    """

    @abstractmethod
    def all(self) -> list[Collection]:
        """All collections, by name."""

    @abstractmethod
    def get(self, name: str) -> Collection:
        """One collection."""

    @abstractmethod
    def photos(self, name: str, offset: int = 0, count: int | None = None) -> list[Hit]:
        """The photos of a collection that have a file, in the order in which they were added."""

    @abstractmethod
    def id_of(self, path: AnyPath) -> str:
        """The id of the photo in a file."""

    @abstractmethod
    def add(self, name: str, ids: Sequence[str]) -> int:
        """Add photos, all or none; the collection is made if it does not exist. Returns how many were not in it."""

    @abstractmethod
    def remove(self, name: str, ids: Sequence[str]) -> int:
        """Remove photos from a collection; returns how many were in it."""

    @abstractmethod
    def rename(self, name: str, new_name: str) -> None:
        """Give a collection another name, which no other one has."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Delete a collection. The photos stay in the gallery and on disk."""

    @abstractmethod
    def searches(self) -> list[SavedSearch]:
        """All saved searches, by name."""

    @abstractmethod
    def save_search(self, name: str, query: Mapping[str, Any]) -> None:
        """Save a search; one of the same name is replaced."""

    @abstractmethod
    def delete_search(self, name: str) -> None:
        """Delete a saved search."""


def checked_name(name: str) -> str:
    """The name without spaces around it; an error if it is empty, too long or not printable."""
    name = name.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise GalleryError(f"{shown(name, 60)!r} is not a name; give 1 to {MAX_NAME} printable characters.")
    return name


def unknown_name(what: str, name: str, known: Iterable[str]) -> GalleryError:
    """The error about a name that does not exist; ``what`` it should name."""
    close = nearest(name, known)
    hint = f"; did you mean {' or '.join(close)}?" if close else "."
    return GalleryError(f"there is no {what} {shown(name, 60)!r}{hint}")


def check_outside(folder: Path, gallery: Path | str, indexed: Iterable[Path]) -> None:
    """An error if ``folder`` is no place to put photos: in an ``indexed`` folder, or in that of the ``gallery``.

    A gallery on a server has an address in place of a folder.
    """
    real = Path(os.path.realpath(folder))
    for one in indexed:
        if real.is_relative_to(os.path.realpath(one)):
            raise GalleryError(
                f"{shown(folder)} is in the indexed folder {shown(one)}, where the photos would be found again; "
                "name a folder outside it"
            )
    if isinstance(gallery, Path) and real.is_relative_to(os.path.realpath(gallery)):
        raise GalleryError(f"{shown(folder)} belongs to the gallery itself; name another folder")


def file_name(name: str) -> str:
    """A name that files and folders may have on every system, made from the name of a collection."""
    kept = re.sub(r'[<>:"/\\|?*]', "_", name).strip(". ").encode()[:MAX_NAME_BYTES].decode(errors="ignore")
    if kept.partition(".")[0].rstrip().upper() in RESERVED:
        kept = f"_{kept}"
    return kept or "photos"


@dataclass(slots=True)
class Exported:
    """``done``: where each photo is now. ``failed``: a sentence for each photo that could not be read."""

    done: list[Path] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def export(paths: Iterable[Path], folder: Path, how: Literal["copy", "link"]) -> Exported:
    """Copy photos into ``folder``, which is made if necessary, or put symbolic links to them there; see ``put``."""
    found = Exported()
    for path in paths:
        try:
            data = read_bounded(path, MAX_FILE_BYTES) if how == "copy" else None
            if how == "link":
                path.stat()
        except FileNotFoundError:
            found.failed.append(
                f"{shown(path)} no longer exists; run sketchseek index to bring the gallery up to date."
            )
        except OSError as error:
            found.failed.append(f"{shown(path)} cannot be read: {error.strerror or error}.")
        else:
            found.done.append(put(path, folder, data))
    return found


def put(source: Path, folder: Path, data: bytes | None) -> Path:
    """Write the ``data`` of a photo into ``folder``, which is made if necessary, or put a link to the photo there.

    Nothing is overwritten: a name that is taken gets a number. A photo that is there already, with the same bytes or as
    a link to the same file, is not put there again. Returns where it is now.
    """
    source = Path(os.path.abspath(source))  # noqa: PTH100 - Path.resolve follows links
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1_000_000):
            target = folder / (source.name if number == 1 else f"{source.stem}-{number}{source.suffix}")
            try:
                if data is None:
                    target.symlink_to(source)
                else:
                    _write(source, target, data)
                return target
            except FileExistsError:
                if _is_same(source, target, data):
                    return target
    except OSError as error:
        hint = " (on Windows, links need the developer mode; copy instead)" if data is None and os.name == "nt" else ""
        raise GalleryError(
            f"{shown(error.filename or folder)} cannot be written: {error.strerror or error}{hint}."
        ) from None
    raise GalleryError(f"{shown(folder)} has too many files named {shown(source.name)}.")


def _write(source: Path, target: Path, data: bytes) -> None:
    """Write bytes and the times of ``source``; a file that was written by half is removed."""
    with target.open("xb") as write:
        try:
            write.write(data)
            write.flush()
        except BaseException:
            target.unlink()
            raise
    with suppress(OSError):  # the photo may have gone since it was read
        shutil.copystat(source, target)


def _is_same(source: Path, target: Path, data: bytes | None) -> bool:
    if data is None:
        return target.is_symlink() and target.readlink() == source
    return (
        not target.is_symlink()
        and target.is_file()
        and target.stat().st_size == len(data)
        and target.read_bytes() == data
    )
