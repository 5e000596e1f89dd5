"""A dataset that has been read: photos, drawings, classes, and the problems that were found."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from sketchseek.errors import SketchseekError
from sketchseek.pictures.sources import MAX_NAME
from sketchseek.wording import shown

EXAMPLES = 5  # a problem names at most this many of its files


class DatasetError(SketchseekError):
    """A dataset that cannot be read or used."""


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo file of a dataset."""

    path: str  # relative to the dataset's root, with "/"
    label: str  # canonical class name
    instance: str  # "label/stem": one for all files of one photo, unique in the dataset
    extended: bool = False  # part of the extension: never in a fine-grained gallery


@dataclass(frozen=True, slots=True)
class Drawing:
    """One sketch file of a dataset."""

    path: str  # relative to the dataset's root, with "/"
    label: str  # canonical class name
    instance: str | None = None  # the photo it shows, which is in the dataset; None if unknown
    drawer: str = ""  # from pairs.csv, as are the next two
    flag: str = ""  # the database's remark: ambiguous, error, ...
    split: str = ""  # group of an instance-level split


class Kind(StrEnum):
    """What can be wrong with a dataset; the values are the keys of ``check --json``."""

    JUNK = "junk"
    NOT_A_PICTURE = "not-a-picture"
    STRAY_FILE = "stray-file"
    NESTED_FOLDER = "nested-folder"
    UNREAD_FOLDER = "unread-folder"
    EMPTY_FILE = "empty-file"
    UNREADABLE = "unreadable"
    BROKEN = "broken"
    UNKNOWN_CLASS = "unknown-class"
    MISSING_CLASS = "missing-class"
    MERGED_CLASS = "merged-class"
    NAMELESS_CLASS = "nameless-class"
    NO_SKETCHES = "class-without-sketches"
    NO_PHOTOS = "class-without-photos"
    ORPHAN = "sketch-without-photo"
    SAME_NAME = "same-name-photo"
    LIST_BAD_ROW = "list-bad-row"
    LIST_MISSING_FILE = "list-missing-file"
    LIST_DUPLICATE = "list-duplicate-row"
    LIST_CLASS = "list-wrong-class"
    UNLISTED = "unlisted-file"
    PAIR_MISSING_FILE = "pair-missing-file"
    PAIR_DUPLICATE = "pair-duplicate-row"
    PAIR_CLASS = "pair-wrong-class"
    PAIR_UNLISTED = "pair-unlisted-sketch"
    SPLIT_UNKNOWN_CLASS = "split-unknown-class"
    SPLIT_LEFT_OUT = "split-left-out-class"


MEANING = {
    Kind.JUNK: "hidden and system files, skipped",
    Kind.NOT_A_PICTURE: "files without a picture's suffix, skipped",
    Kind.STRAY_FILE: "files next to the class folders instead of inside one, skipped",
    Kind.NESTED_FOLDER: "folders inside a class folder, not read",
    Kind.UNREAD_FOLDER: "folders that are not part of this layout, not read",
    Kind.EMPTY_FILE: "files of 0 bytes, skipped",
    Kind.UNREADABLE: "files and folders that cannot be read, skipped",
    Kind.BROKEN: "pictures that cannot be opened; evaluation and training stop at them",
    Kind.UNKNOWN_CLASS: "classes that are not in the published dataset, kept",
    Kind.MISSING_CLASS: "classes of the published dataset that are missing",
    Kind.MERGED_CLASS: "folders of a class that has another folder, read as one class",
    Kind.NAMELESS_CLASS: "class folders without a letter or digit in their name, skipped",
    Kind.NO_SKETCHES: "classes without a sketch",
    Kind.NO_PHOTOS: "classes without a photo",
    Kind.ORPHAN: "sketches whose photo is missing, kept for category-level use",
    Kind.SAME_NAME: "photos with the name of another photo of their class, read as the same photo",
    Kind.LIST_BAD_ROW: "rows of list files that name no file inside this dataset, skipped",
    Kind.LIST_MISSING_FILE: "files in a list that are missing",
    Kind.LIST_DUPLICATE: "rows that repeat a row of the same list, read once",
    Kind.LIST_CLASS: "rows whose class number contradicts their folder, read by their folder",
    Kind.UNLISTED: "files of listed classes that are in no list, skipped",
    Kind.PAIR_MISSING_FILE: "rows of pairs.csv whose sketch or photo is missing",
    Kind.PAIR_DUPLICATE: "rows of pairs.csv that name a sketch again, skipped",
    Kind.PAIR_CLASS: "rows of pairs.csv whose class contradicts the sketch's folder, or that pair two classes",
    Kind.PAIR_UNLISTED: "sketches that are not in pairs.csv, paired by their file names",
    Kind.SPLIT_UNKNOWN_CLASS: "classes in splits.json that are missing",
    Kind.SPLIT_LEFT_OUT: "classes that are not in splits.json, in no group",
}


@dataclass(frozen=True)
class Problem:
    """One kind of problem: how often it occurs, and the first few names in sorted order."""

    kind: Kind
    count: int
    examples: tuple[str, ...]

    @classmethod
    def of(cls, kind: Kind, count: int, names: Iterable[str]) -> "Problem":
        """A problem with the first of its names, made printable."""
        return cls(kind, count, tuple(shown(name, MAX_NAME) for name in sorted(names)[:EXAMPLES]))

    def __str__(self) -> str:
        more = ", ..." if self.count > len(self.examples) else ""
        return f"{MEANING[self.kind]} ({self.count}): {', '.join(self.examples)}{more}"


class ProblemLog:
    """Collects problems while a dataset is read; the result does not depend on their order."""

    def __init__(self) -> None:
        self._names: dict[Kind, Counter[str]] = {}

    def add(self, kind: Kind, name: str) -> None:
        self._names.setdefault(kind, Counter())[name] += 1

    def extend(self, kind: Kind, names: Iterable[str]) -> None:
        for name in names:
            self.add(kind, name)

    def problems(self) -> tuple[Problem, ...]:
        return tuple(
            Problem.of(kind, self._names[kind].total(), self._names[kind]) for kind in Kind if kind in self._names
        )


@dataclass(frozen=True)
class Dataset:
    """Photos and drawings of named classes in one folder, in the same order on every file system."""

    name: str  # sketchy, tuberlin, quickdraw or custom
    layout: str
    root: Path
    classes: Mapping[str, str]  # canonical name -> words for prompts, sorted
    photos: tuple[Photo, ...]  # sorted by path
    sketches: tuple[Drawing, ...]  # sorted by path
    problems: tuple[Problem, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of its own splits.json: train, val, unseen

    def file(self, item: Photo | Drawing) -> Path:
        """The path of an item on this machine."""
        return self.root / item.path
