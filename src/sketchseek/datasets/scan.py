"""Walk the class folders of a dataset to find its pictures."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sketchseek.datasets.items import Kind, ProblemLog
from sketchseek.datasets.layouts import Layout, Source
from sketchseek.pictures.formats import PHOTO_SUFFIXES, SKETCH_SUFFIXES
from sketchseek.wording import canonical

_JUNK = {"thumbs.db", "desktop.ini", "@eadir", "__macosx", "$recycle.bin"}


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A picture file with the class of its folder."""

    path: str  # relative to the root, with "/"
    label: str


@dataclass(frozen=True)
class Scan:
    """The files of one source, sorted by path."""

    source: Source
    files: tuple[FoundFile, ...]
    spelling: dict[str, str]  # canonical class -> its folder's name, including classes without a file


def scan(root: Path, layout: Layout, source: Source, log: ProblemLog) -> Scan:
    """List the files of a source; whatever is skipped is a problem in the log."""
    suffixes = SKETCH_SUFFIXES if source.role == "sketch" else PHOTO_SUFFIXES
    if layout.flat:
        name = root.resolve().name
        files = _pictures(root, source.folder, canonical(name), suffixes, log)
        return Scan(source, tuple(files), {canonical(name): name})
    spelling: dict[str, str] = {}
    found: list[FoundFile] = []
    for entry in _entries(root, source.folder, log):
        path = f"{source.folder}/{entry.name}"
        if not _is_folder(entry):
            log.add(Kind.STRAY_FILE, path)
            continue
        key = canonical(entry.name)
        if not key:
            log.add(Kind.NAMELESS_CLASS, path)
            continue
        if key in spelling:
            log.add(Kind.MERGED_CLASS, path)
        spelling.setdefault(key, entry.name)
        found.extend(_pictures(root, path, key, suffixes, log))
    return Scan(source, tuple(sorted(found, key=lambda file: file.path)), spelling)


def unread_folders(root: Path, layout: Layout, log: ProblemLog) -> None:
    """Log the folders that the layout does not read."""
    read = [source.folder for source in layout.sources]
    parents = {folder.rpartition("/")[0] for folder in read} | {""}
    for parent in sorted(parents):
        for entry in _entries(root, parent, ProblemLog()):
            path = f"{parent}/{entry.name}" if parent else entry.name
            used = any(folder == path or folder.startswith(f"{path}/") for folder in read)
            if _is_folder(entry) and not used and not entry.name.startswith("zeroshot"):
                log.add(Kind.UNREAD_FOLDER, path)


def _pictures(root: Path, folder: str, label: str, suffixes: frozenset[str], log: ProblemLog) -> Iterator[FoundFile]:
    for entry in _entries(root, folder, log):
        path = f"{folder}/{entry.name}"
        if _is_folder(entry):
            log.add(Kind.NESTED_FOLDER, path)
        elif os.path.splitext(entry.name)[1].lower() not in suffixes:  # noqa: PTH122 - ten times faster than a Path
            log.add(Kind.NOT_A_PICTURE, path)
        else:
            try:
                empty = entry.stat().st_size == 0
            except OSError:  # a broken link, or a link to itself
                log.add(Kind.UNREADABLE, path)
                continue
            if empty:
                log.add(Kind.EMPTY_FILE, path)
            else:
                yield FoundFile(path, label)


def _entries(root: Path, folder: str, log: ProblemLog) -> list[os.DirEntry[str]]:
    """The entries of a folder without junk, sorted by name."""
    try:
        with os.scandir(root / folder) as entries:
            everything = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        log.add(Kind.UNREADABLE, folder)
        return []
    wanted = []
    for entry in everything:
        if entry.name.startswith(".") or entry.name.casefold() in _JUNK:
            log.add(Kind.JUNK, f"{folder}/{entry.name}")
        else:
            wanted.append(entry)
    return wanted


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a symbolic link to itself
        return False
