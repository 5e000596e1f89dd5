"""The plan of a row: its recipe, what is changed in it, whether the data is that of its figures, and what it costs."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from sketchseek.datasets import (
    Check,
    Dataset,
    Hashes,
    check_dataset,
    files_hash,
    open_dataset,
    queries,
    select_classes,
)
from sketchseek.datasets.check import Count, Depth
from sketchseek.errors import SketchseekError
from sketchseek.evaluation.vectors.encoding import ProgressFunction
from sketchseek.reproduce.rows import SAMPLE, Row, cost, published_triplets, title_of
from sketchseek.training.presets import recipe_from_preset
from sketchseek.training.recipe import ELSEWHERE, Recipe

DONE, DIFFERS = 0, 3  # exit codes: within tolerance; not within it, or of other data than the figure


@dataclass(frozen=True)
class Data:
    """A dataset on this machine, checked, and in what it is not the one of the figures."""

    check: Check
    hashes: tuple[Hashes, ...]  # of each group of classes
    differing: tuple[str, ...]

    @property
    def dataset(self) -> Dataset:
        return self.check.dataset

    def to_json(self) -> dict[str, Any]:
        """What was checked, and how it came out."""
        return {
            "root": str(self.dataset.root),
            "dataset": self.dataset.name,
            "layout": self.dataset.layout,
            "read": self.check.depth,
            "counts": [{**dataclasses.asdict(one), "agrees": one.agrees} for one in self.check.counts],
            "hashes": [vars(one) for one in self.hashes],
            "missing_classes": list(self.check.missing),
            "problems": [{"kind": one.kind, "count": one.count} for one in self.check.problems],
            "differs": list(self.differing),
        }


@dataclass(frozen=True)
class Plan:
    """All that a reproduction does."""

    row: Row
    backbone: str
    recipe: Recipe  # of zero-shot rows only the backbone and the data count
    changes: Mapping[str, tuple[Any, Any]]  # key of the recipe -> the row's value, this call's
    out: Path
    data: Data | None  # None: not named yet
    target: Data | None
    triplets: int | None  # of the whole training
    hours: float | None  # estimated, on the GPU of ``cost()``

    @property
    def differing(self) -> tuple[str, ...]:
        """In what the data is not that of the figures."""
        return tuple(one for data in (self.data, self.target) if data for one in data.differing)


def make_plan(
    row: Row,
    *,
    data: Path | None,
    target: Path | None = None,
    backbone: str | None = None,
    settings: Mapping[str, Any] | None = None,
    out: Path | None = None,
    depth: Depth = "beginnings",
    progress: ProgressFunction = lambda *_: None,
) -> Plan:
    """The plan of ``row``; reads the datasets that are named, and writes nothing.

    ``settings``: values of the recipe in place of the row's. ``depth``: how far the pictures are opened.
    """
    if "preset" in (settings or {}):
        raise SketchseekError(
            f"--set: the preset belongs to the row; sketchseek train has other presets of {row.method}"
        )
    if target is not None and row.target is None:
        raise SketchseekError(f"{row.id} is trained and measured on one dataset: omit --target")
    known = SAMPLE if row.split == SAMPLE else row.data
    given: dict[str, Any] = {"data": str(data.resolve()) if data else "", "backbone": row.backbone}
    given |= {} if known == SAMPLE else {"dataset": known}
    name = "sketchy" if known == SAMPLE else known
    plain = recipe_from_preset(row.method, row.preset, row.setting, name, {**given, **row.recipe_values()}, row.id)
    ours = {"backbone": backbone} if backbone else {}
    recipe = recipe_from_preset(
        row.method, row.preset, row.setting, name, {**given, **row.recipe_values(), **ours, **(settings or {})}, "--set"
    )
    before, now = plain.values(), recipe.values()
    changes = {key: (before[key], now[key]) for key in now if key not in ELSEWHERE and now[key] != before[key]}
    checked = _checked(row, data, row.data, depth, progress) if data else None
    complete = checked is not None and not checked.check.missing
    triplets = _triplets(recipe, checked) if checked and complete and row.trains else None
    if data is None and not changes.keys() & {"epochs", "steps", "batch", "classes"}:
        triplets = published_triplets(row)
    return Plan(
        row=row,
        backbone=recipe.backbone,
        recipe=recipe,
        changes=changes,
        out=out or Path("runs") / "reproduce" / row.id.replace("/", "-"),
        data=checked,
        target=_checked(row, target, row.target, depth, progress) if target and row.target else None,
        triplets=triplets,
        hours=None if changes else cost().hours(row, triplets),
    )


def _triplets(recipe: Recipe, data: Data) -> int:
    """How many triplets the recipe trains on here; batches that an epoch drops are counted too."""
    if recipe.steps is not None:
        return recipe.steps * recipe.batch
    return recipe.epochs * len(queries(data.dataset, select_classes(data.dataset, recipe.classes)))


def _checked(row: Row, root: Path, name: str, depth: Depth, progress: ProgressFunction) -> Data:
    """The dataset in ``root``, compared with the published one of this name."""
    dataset = open_dataset(root, None if name == SAMPLE else name)
    opened, pictures = count(1), len(dataset.sketches) + len(dataset.photos)
    check = check_dataset(dataset, depth, lambda: progress(f"opening {root}", next(opened), pictures))
    if not check.usable:
        raise SketchseekError(f"{root} has no sketch or no photo that opens: name a folder with {title_of(name)}")
    if name == SAMPLE:
        hashes = tuple(_with_files(check, row) if depth != "names" else check.hashes)
        return Data(check, hashes, tuple(_other_files(row, hashes)))
    return Data(check, check.hashes, tuple(_differing(row, check)))


def _with_files(check: Check, row: Row) -> Iterator[Hashes]:
    """The hashes of ``check``, also of the contents of those groups that the row's figures depend on."""
    needed = {one.classes for one in row.hashes}
    for one in check.hashes:
        read = one.classes in needed and one.files is None
        yield replace(one, files=files_hash(check.dataset, check.dataset.groups[one.classes])) if read else one


def _other_files(row: Row, hashes: tuple[Hashes, ...]) -> Iterator[str]:
    """Sentences about the groups whose files are not those of our figures."""
    here = {one.classes: one for one in hashes}
    for one in row.hashes:
        if one.classes not in here:
            yield f"its splits.json has no group {one.classes}"
        elif here[one.classes].names != one.names:
            yield f"the {one.classes} classes have other files than our sample"
        elif here[one.classes].files not in (None, one.files):
            yield f"the {one.classes} classes have the file names of our sample, but other contents"


def _differing(row: Row, check: Check) -> Iterator[str]:
    """Sentences about the counts that this row depends on and that are not the published ones."""
    if check.missing:
        yield f"{len(check.missing)} classes are missing ({', '.join(check.missing[:5])}, ...)"
    photos = "basic_photos" if row.protocol == "fine-grained" else "photos"
    for one in check.counts:
        own = one.classes.partition(":")[0] in _splits(row)
        if own and one.agrees is False and one.what in ("sketches", photos):
            yield _sentence(one)


def _splits(row: Row) -> tuple[str, ...]:
    """The published splits whose groups of classes the row uses."""
    return (row.source_split, row.protocol_options().classes)


def _sentence(one: Count) -> str:
    published = " or ".join(f"{number:,}" for number in one.published)
    return f"{one.here:,} {one.what.replace('_', ' ')} of {one.classes}, published {published}"
