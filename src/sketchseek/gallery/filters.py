"""Which photos a search or a list of photos looks at: by folder, time, name and kind of the file, and camera."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.paths import AnyPath, below
from sketchseek.pictures.formats import FORMATS, suffix_of

Day = str | date | None
Taken = str | tuple[Day, Day] | None

Kind = Literal["jpeg", "png", "webp", "gif", "avif", "bmp", "tiff", "raw", "heif"]
KINDS: Mapping[str, frozenset[str]] = {row.name: frozenset(row.suffixes) for row in FORMATS if not row.drawing}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """See ``Gallery.search``; a photo passes if one of its files does."""

    under: AnyPath | None = None
    taken: Taken = None
    name: str | None = None
    kind: str | None = None
    camera: str | None = None

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in KINDS:
            raise GalleryError(f"kind is {self.kind!r}; choose from {', '.join(KINDS)}.")
        dates(self.taken)  # reports wrong dates even if the gallery is empty

    @property
    def any(self) -> bool:
        """Whether any is set."""
        return self != EVERY_PHOTO

    def fits(self, path: bytes, folder: bytes | None) -> bool:
        """Whether a file is in ``folder``, and its name and kind pass."""
        name = file_name(path)
        return (
            (folder is None or path.startswith(below(folder)[0]))
            and (self.name is None or self.name.casefold() in name)
            and (self.kind is None or file_kind(path) == self.kind)
        )

    def why_none(self) -> str | None:
        """The message if no photo passes; None if there are no filters."""
        if not self.any:
            return None
        if self.name is not None or self.kind is not None or self.camera is not None:
            return "no photo passes the filters."
        if self.under is not None and self.taken is not None:
            return "no photo in that folder was taken in that time."
        if self.under is not None:
            return "the gallery holds no photo in that folder."
        return "no photo was taken in that time."


def file_name(path: bytes) -> str:
    """The name of a file without its folders, for comparisons that ignore case."""
    return os.fsdecode(os.path.basename(path)).casefold()  # noqa: PTH119 - paths are bytes here


def file_kind(path: bytes) -> str | None:
    """The format of a photo by its suffix, as in ``KINDS``."""
    suffix = suffix_of(os.fsdecode(path))
    return next((kind for kind, suffixes in KINDS.items() if suffix in suffixes), None)


def dates(taken: Taken) -> tuple[str | None, str | None]:
    """A range of ISO dates as the catalogue compares them: from the first, up to but not including the second."""
    first, last = (taken, taken) if isinstance(taken, str) or taken is None else taken
    low, high = _prefix(first), _prefix(last)
    if low and high and low > high + "~":
        raise GalleryError(f"the dates run backwards: {low} is after {high}.")
    return (
        low,
        high + "~" if high else None,
    )  # "~" sorts after digits: includes all dates with the prefix


def _prefix(day: Day) -> str | None:
    if day is None:
        return None
    if isinstance(day, date):
        return day.isoformat()
    for form in ("%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"):
        try:
            return datetime.strptime(day, form).strftime(form)
        except ValueError:
            continue
    raise GalleryError(f"{day!r} is not a date; write 2024, 2024-05 or 2024-05-31.")


EVERY_PHOTO = Filters()
