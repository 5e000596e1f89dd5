"""The folders of this machine that the page may offer to index: those below a few places, never anything outside.

Folders are named as ``FolderNames`` names them, so no request has a full path. Hidden folders, and those that systems
keep beside photos, are neither listed nor found. A link counts as the folder that it leads to.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sketchseek.gallery.scan import JUNK, is_photo
from sketchseek.server.folder_names import FolderNames
from sketchseek.wording import shown

MAX_LISTED = 1000  # folders of one answer
MAX_ENTRIES = 50_000  # files and folders that one answer looks at
USUAL = ("Pictures", "Photos", "DCIM", "Bilder", "Imágenes", "Images")  # folders of photos, where they are in a place
DRIVES = ("/media", "/run/media", "/mnt", "/Volumes", "/photos")


@dataclass(frozen=True, slots=True)
class Listing:
    """What is in a folder. ``folders``: names for ``Places.find``. ``more``: not all is listed or counted."""

    folder: str | None
    parent: str | None
    folders: list[str]
    photos: int
    more: bool


class Places:
    """The folders at and below ``places``, which are absolute."""

    def __init__(self, places: Sequence[Path]) -> None:
        self._names = FolderNames(places)
        self._real = [Path(os.path.realpath(place)) for place in places]

    def __bool__(self) -> bool:
        return bool(self._real)

    def find(self, name: str) -> Path | None:
        """The folder of this name; None if there is none, it is hidden, or a link leads out of all places."""
        folder = self._names.find(name)
        return folder if folder is not None and self.offers(folder) else None

    def listing(self, name: str | None) -> Listing | None:
        """The folders and the number of photos directly in a folder, or all places; None if it cannot be listed."""
        if name is None:
            return Listing(None, None, [one for one, path in self._names.by_name.items() if path.is_dir()], 0, False)
        folder = self.find(name)
        if folder is None:
            return None
        folders, photos, more = [], 0, False
        try:
            with os.scandir(os.fsencode(folder)) as entries:
                for count, entry in enumerate(entries):
                    if count == MAX_ENTRIES:
                        more = True
                        break
                    photos += is_photo(entry.name)
                    if _is_listed(entry.name) and entry.is_dir() and self.offers(Path(os.fsdecode(entry.path))):
                        folders.append(f"{name}/{shown(entry.name)}")
        except OSError:
            return None
        folders.sort(key=str.casefold)
        parent = None if name in self._names.by_name else name.rpartition("/")[0]
        return Listing(name, parent, folders[:MAX_LISTED], photos, more or len(folders) > MAX_LISTED)

    def suggestions(self) -> list[str]:
        """The usual folders of photos that exist."""
        names = [f"{place}/{usual}" for place in self._names.by_name for usual in USUAL]
        return [name for name in names if self.find(name) is not None]

    def offers(self, folder: Path) -> bool:
        """Whether this is a folder in one of the places, and neither hidden nor in a hidden one."""
        real = Path(os.path.realpath(folder))
        for place in self._real:
            inside = real.relative_to(place).parts if real.is_relative_to(place) else (".",)
            if all(_is_listed(os.fsencode(part)) for part in inside):
                return real.is_dir()
        return False


def usual_places() -> list[Path]:
    """The home folder, and where drives are mounted."""
    home = Path.home()
    if sys.platform == "win32":
        return [home, *(drive for letter in "DEFGHIJKLMNOPQRSTUVWXYZ" if (drive := Path(f"{letter}:\\")).exists())]
    return [home, *(place for path in DRIVES if (place := Path(path)).is_dir())]


def _is_listed(name: bytes) -> bool:
    return not name.startswith(b".") and name.lower() not in JUNK
