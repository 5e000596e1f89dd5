"""Which missing files were deleted, and which are on a drive that is away: each file's device is remembered."""

import os
from collections.abc import Iterable, Mapping

from sketchseek.gallery.records import KnownFile
from sketchseek.gallery.scan import FoundFile, device_of


class Drives:
    """``known``: files as the store remembers them; ``found``: those that are there now."""

    def __init__(self, known: Mapping[bytes, KnownFile], found: Mapping[bytes, FoundFile]) -> None:
        self._known, self._found = known, found
        # A drive may get another number when it is mounted again; the files that are still on it show which.
        self._became = {(known[path].device, file.device) for path, file in found.items() if path in known}
        self._folders: dict[bytes, int] = {}  # folder -> device of itself or of the nearest that exists above it

    def devices(self, paths: Iterable[bytes]) -> dict[bytes, int]:
        """The devices of those of ``paths`` that were found."""
        return {path: self._found[path].device for path in paths if path in self._found}

    def changed(self) -> dict[bytes, int]:
        """The devices of known files that are on another one than the store remembers."""
        known = self.devices(self._known)
        return {path: device for path, device in known.items() if self._known[path].device != device}

    def is_deleted(self, path: bytes) -> bool:
        """Whether a known file that was not found is gone for good; if not, it is on a drive that is away."""
        device = self._known[path].device
        if device is None:
            return True
        # Of a link that is still there, what counts is the place it leads to.
        here = self._device_at(os.path.dirname(os.path.realpath(path) if os.path.islink(path) else path))  # noqa: PTH114, PTH120
        return here == device or (device, here) in self._became

    def away(self, missing: Iterable[bytes]) -> list[tuple[bytes, int]]:
        """(the folder they have in common, how many files) for each drive that is away, of the missing known files."""
        drives: dict[int | None, list[bytes]] = {}
        for path in missing:
            if not self.is_deleted(path):
                drives.setdefault(self._known[path].device, []).append(os.path.dirname(path))  # noqa: PTH120
        return sorted((os.path.commonpath(folders), len(folders)) for folders in drives.values())

    def _device_at(self, folder: bytes) -> int:
        passed = []
        while (device := self._folders.get(folder)) is None:
            passed.append(folder)
            try:
                device = device_of(os.stat(folder))  # noqa: PTH116 - paths are bytes here
                break
            except OSError:
                above = os.path.dirname(folder)  # noqa: PTH120
                if above == folder:
                    device = -1
                    break
                folder = above
        self._folders.update(dict.fromkeys(passed, device))
        return device
