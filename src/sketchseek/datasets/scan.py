"""Walk the class folders of a dataset: which picture files lie there, and what else."""

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
class Found:
    """A picture file with the class its folder means."""

    path: str  # relative to the root, with "/"
    label: str


@dataclass(frozen=True)
class Scan:
    """What lies in one source, sorted by path."""

    source: Source
    files: tuple[Found, ...]
    spelling: dict[str, str]  # canonical class -> its folder's name, classes without a file too


def scan(root: Path, layout: Layout, source: Source, log: ProblemLog) -> Scan:
    """Read the folder of a source; nothing in it is passed over without a problem."""
    suffixes = SKETCH_SUFFIXES if source.role == "sketch" else PHOTO_SUFFIXES
    if layout.flat:
        name = root.resolve().name
        files = _pictures(root, source.folder, canonical(name), suffixes, log)
        return Scan(source, tuple(files), {canonical(name): name})
    spelling: dict[str, str] = {}
    found: list[Found] = []
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
    """Report the folders beside those that the layout reads, so that nobody takes them for read."""
    read = [source.folder for source in layout.sources]
    parents = {folder.rpartition("/")[0] for folder in read} | {""}
    for parent in sorted(parents):
        for entry in _entries(root, parent, ProblemLog()):
            path = f"{parent}/{entry.name}" if parent else entry.name
            used = any(folder == path or folder.startswith(f"{path}/") for folder in read)
            if _is_folder(entry) and not used and not entry.name.startswith("zeroshot"):
                log.add(Kind.UNREAD_FOLDER, path)


def _pictures(root: Path, folder: str, label: str, suffixes: frozenset[str], log: ProblemLog) -> Iterator[Found]:
    for entry in _entries(root, folder, log):
        path = f"{folder}/{entry.name}"
        if _is_folder(entry):
            log.add(Kind.NESTED_FOLDER, path)
        elif os.path.splitext(entry.name)[1].lower() not in suffixes:  # noqa: PTH122 - ten times faster than a Path
            log.add(Kind.NOT_A_PICTURE, path)
        else:
            try:
                empty = entry.stat().st_size == 0
            except OSError:  # a link that leads nowhere or to itself
                log.add(Kind.UNREADABLE, path)
                continue
            if empty:
                log.add(Kind.EMPTY_FILE, path)
            else:
                yield Found(path, label)


def _entries(root: Path, folder: str, log: ProblemLog) -> list[os.DirEntry[str]]:
    """Everything in a folder but junk, sorted by name."""
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
