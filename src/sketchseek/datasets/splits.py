"""Splits into seen and unseen classes: the published ones by name, and the rule for validation classes."""

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from sketchseek.datasets.items import Dataset, DatasetError
from sketchseek.wording import canonical, listed, nearest

GROUPS = ("train", "val", "seen", "unseen", "all")


@dataclass(frozen=True)
class Split:
    """Classes by role, as sorted canonical names; ``train`` and ``val`` together are the seen ones."""

    name: str
    train: tuple[str, ...]
    val: tuple[str, ...]  # held out of the seen classes: models are selected on these, never on unseen ones
    unseen: tuple[str, ...]

    @property
    def seen(self) -> tuple[str, ...]:
        return tuple(sorted(self.train + self.val))

    def group(self, name: str) -> tuple[str, ...]:
        """``train``, ``val``, ``seen``, ``unseen`` or ``all``."""
        groups = {"train": self.train, "val": self.val, "seen": self.seen, "unseen": self.unseen}
        return tuple(sorted(self.seen + self.unseen)) if name == "all" else groups[name]


@dataclass(frozen=True)
class KnownSplit:
    """A published split, as shipped."""

    name: str
    dataset: str  # that has the ``unseen`` classes
    unseen: tuple[str, ...]  # as published
    aliases: tuple[str, ...]  # its names in papers and their code
    published: Mapping[str, Mapping[str, list[int]]]  # group -> counted items -> the published values
    source: str | None = None  # a cross-dataset split trains on the seen classes of this one


@dataclass(frozen=True)
class KnownDataset:
    """A published dataset: its classes and sizes."""

    name: str
    title: str
    classes: tuple[str, ...]  # as published
    published: Mapping[str, list[int]]  # counted items -> the published values

    def spelling(self) -> dict[str, str]:
        """Canonical name -> published spelling."""
        return {canonical(name): name for name in self.classes}


@cache
def known_datasets() -> dict[str, KnownDataset]:
    """The published datasets by name, from the shipped files."""
    return {
        name: KnownDataset(name, data["title"], tuple(data["classes"]), data.get("published", {}))
        for name in ("sketchy", "tuberlin", "quickdraw")
        for data in [_read(name)]
    }


@cache
def known_splits() -> dict[str, KnownSplit]:
    """The published splits by name, from the shipped files."""
    splits: dict[str, KnownSplit] = {}
    for name in (*known_datasets(), "cross"):
        for data in _read(name)["splits"]:
            dataset = splits[data["target"]].dataset if "target" in data else name
            splits[data["name"]] = KnownSplit(
                data["name"],
                dataset,
                tuple(data["unseen"]),
                tuple(data["aliases"]),
                data.get("published", {}),
                data.get("source"),
            )
    return splits


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((files("sketchseek.datasets") / "catalog" / f"{name}.toml").read_text(encoding="utf-8"))


def published_split(name: str) -> Split:
    """A shipped split by its name, with validation classes held out of the seen ones."""
    known = known_splits().get(name)
    if known is None:
        close = nearest(name, known_splits()) or list(known_splits())
        raise DatasetError(f"there is no split {name!r}: choose {' or '.join(close)}")
    seen_of = known_splits()[known.source] if known.source else known
    unseen_there = {canonical(c) for c in seen_of.unseen}
    seen = {canonical(c) for c in known_datasets()[seen_of.dataset].classes} - unseen_there
    val = validation_classes(seen)
    return Split(name, tuple(sorted(seen - set(val))), val, tuple(sorted(canonical(c) for c in known.unseen)))


def validation_classes(seen: Iterable[str]) -> tuple[str, ...]:
    """A tenth of the seen classes (at least 2, at most half), on which models are selected.

    Classes are ranked by a hash of their canonical name, so their order and the other classes do not matter.
    """
    ranked = sorted({canonical(name) for name in seen}, key=lambda key: (_rank(key), key))
    count = min(max(2, len(ranked) // 10), len(ranked) // 2)
    return tuple(sorted(ranked[:count]))


def _rank(key: str) -> bytes:
    return hashlib.sha256(f"sketchseek-validation-1:{key}".encode()).digest()


def split_of(dataset: Dataset, name: str | None = None) -> Split:
    """The split called ``name``; by default that of the dataset's splits.json, else its first published one.

    Without either all classes are seen, so that training still has validation classes.
    """
    if name is not None:
        return published_split(name)
    if dataset.groups:
        unseen = dataset.groups.get("unseen", ())
        val = dataset.groups.get("val") or validation_classes(dataset.groups.get("train", ()))
        return Split("its own", tuple(c for c in dataset.groups.get("train", ()) if c not in val), val, unseen)
    for known in known_splits().values():
        if known.dataset == dataset.name and known.source is None:
            return published_split(known.name)
    val = validation_classes(dataset.classes)
    return Split("all seen", tuple(c for c in dataset.classes if c not in val), val, ())


def select_classes(dataset: Dataset, spec: str) -> tuple[str, ...]:
    """The canonical names, sorted, of the classes in ``spec``; all of them are in the dataset.

    ``train``, ``val``, ``seen``, ``unseen``: a group of the dataset's own split (see ``split_of``); ``all``: every
    class; a split's name: its unseen classes, or another group of it as in ``sketchy-25:seen``; else class names with
    commas between them (a class with the name of a group needs a comma too: ``train,``).
    """
    spec = spec.strip()
    if spec == "all":
        return tuple(dataset.classes)
    name, _, group = spec.partition(":")
    if name in known_splits():
        return _of_split(dataset, published_split(name), group or "unseen", spec)
    if spec in GROUPS:
        return _of_split(dataset, split_of(dataset), spec, spec)
    return _by_name(dataset, [part for part in spec.split(",") if part.strip()])


def _of_split(dataset: Dataset, split: Split, group: str, spec: str) -> tuple[str, ...]:
    if group not in GROUPS:
        raise DatasetError(f"there is no group {group!r} of classes in {spec!r}: choose {', '.join(GROUPS)}")
    classes = split.group(group)
    missing = [key for key in classes if key not in dataset.classes]
    if missing:
        raise DatasetError(
            f"{spec!r} has {len(classes)} classes, of which {dataset.root} lacks {listed(missing)}: complete the "
            "dataset, name classes that it has, or give it a splits.json"
        )
    if not classes:
        raise DatasetError(
            f"{dataset.root} has no {group} classes: give it a splits.json, name the dataset, or name classes"
        )
    return classes


def _by_name(dataset: Dataset, names: list[str]) -> tuple[str, ...]:
    if not names:
        raise DatasetError("no class is named: give a group (unseen, val, train, seen, all), a split or class names")
    for name in names:
        if canonical(name) not in dataset.classes:
            offers = [*dataset.classes.values(), *known_splits(), *GROUPS]
            close = nearest(name, offers)
            hint = (
                f": did you mean {' or '.join(close)}?"
                if close
                else f"; it has {listed(list(dataset.classes.values()))}"
            )
            raise DatasetError(f"{dataset.root} has no class {name.strip()!r}{hint}")
    return tuple(sorted({canonical(name) for name in names}))
