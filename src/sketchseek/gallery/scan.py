"""Which photos a folder has now: names, sizes, times of change and devices, without opening a file."""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from sketchseek.pictures import PHOTO_SUFFIXES

SUFFIXES = frozenset(suffix.encode() for suffix in PHOTO_SUFFIXES)
# Folders that systems and network drives create beside photos. Names that start with a dot are skipped as well.
JUNK = frozenset(
    (b"@eadir", b"#recycle", b"#snapshot", b"$recycle.bin", b"system volume information", b"__macosx", b"lost+found")
)


class FoundFile(NamedTuple):
    """Size in bytes, time of change in ns, and the device that the file is on; a link counts as what it leads to."""

    size: int
    mtime_ns: int
    device: int


@dataclass(slots=True)
class Scan:
    """``files``: path -> file, folder by folder. ``blocked``: folders that could not be listed, and why."""

    files: dict[bytes, FoundFile] = field(default_factory=dict)
    blocked: dict[bytes, str] = field(default_factory=dict)


def scan(folders: Iterable[bytes], skip: Iterable[str | os.PathLike[str]] = ()) -> Scan:
    """All photos in ``folders``; each folder is visited once, even if links lead to it. ``skip``: folders to omit.

    Links are followed last, so a photo is listed under its real path if that is in ``folders``.
    """
    found, folders = Scan(), list(folders)
    visited = {identity for path in skip if (identity := _identity(os.fsencode(path)))}
    waiting, links, files = sorted(folders, reverse=True), list[bytes](), dict[bytes, FoundFile]()
    while waiting or links:
        folder = waiting.pop() if waiting else links.pop()
        identity = _identity(folder)
        if identity in visited:
            continue
        if identity:
            visited.add(identity)
        deeper, linked = _list(folder, found, files)
        waiting += sorted(deeper, reverse=True)
        if linked:
            links = sorted(links + linked, reverse=True)
    _add_linked(files, found, folders)
    return found


def is_photo(name: bytes) -> bool:
    """By its name: a photo's suffix, not hidden."""
    dot = name.rfind(b".")
    return dot > 0 and not name.startswith(b".") and name[dot:].lower() in SUFFIXES


def time_of(status: os.stat_result) -> int:
    """When a file was changed, in ns since 1970; times that do not fit into 64 bits (after 2262) become the nearest."""
    return max(-(2**63), min(status.st_mtime_ns, 2**63 - 1))


def device_of(status: os.stat_result) -> int:
    """The device a file is on, as a number of 63 bits, which databases can keep."""
    return status.st_dev & (2**63 - 1)


def _add_linked(links: dict[bytes, FoundFile], found: Scan, folders: Iterable[bytes]) -> None:
    """Add links to files that are not listed themselves; of several links to one file, the first by name."""
    roots = {os.path.realpath(folder): folder for folder in folders}
    listed = set[bytes]()
    for link in sorted(links):
        real = os.path.realpath(link)
        names = [folder + real[len(root) :] for root, folder in roots.items() if real.startswith(root)]
        if real not in listed and not any(name in found.files for name in (real, *names)):
            found.files[link] = links[link]
        listed.add(real)


def _list(folder: bytes, found: Scan, links: dict[bytes, FoundFile]) -> tuple[list[bytes], list[bytes]]:
    """(folders in a folder, links to folders); its files are put into ``found``, links to files into ``links``."""
    deeper: list[bytes] = []
    linked: list[bytes] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                try:
                    if entry.is_dir():
                        if not name.startswith(b".") and name.lower() not in JUNK:
                            (linked if entry.is_symlink() else deeper).append(entry.path)
                    elif is_photo(name):
                        status = entry.stat()
                        if stat.S_ISREG(status.st_mode):  # no pipes or devices
                            files = links if entry.is_symlink() else found.files
                            files[entry.path] = FoundFile(status.st_size, time_of(status), device_of(status))
                except OSError:
                    continue  # a broken or circular link, or a file removed since it was listed
    except OSError as error:
        found.blocked[folder] = f"the folder cannot be listed: {error.strerror or error}"
    return deeper, linked


def _identity(folder: bytes) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)  # noqa: PTH116 - paths are bytes here
    except OSError:
        return None
    return status.st_dev, status.st_ino
