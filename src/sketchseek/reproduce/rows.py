"""The rows that can be repeated: published figures by reference to the papers' tables, and our own."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from sketchseek.datasets import Hashes, KnownSplit, known_datasets, known_splits
from sketchseek.errors import SketchseekError
from sketchseek.evaluation.papers import PaperTable, our_names, paper_tables
from sketchseek.evaluation.protocols import ProtocolName, ProtocolOptions
from sketchseek.methods.method import Setting
from sketchseek.training.presets import preset_values
from sketchseek.wording import nearest

SAMPLE = "sample"  # our development data, which has a split of its own


@dataclass(frozen=True)
class Row:
    """One training and evaluation, and the figures it should give."""

    id: str
    status: Literal["published", "ours"]
    source: str  # the paper and its name of the row, or ours
    method: str
    protocol: ProtocolName
    split: str  # published, or "sample"
    figures: Mapping[str, float]  # the paper's name of the metric -> percent
    backbone: str
    preset: str = "paper"
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the recipe, over the preset
    transductive: bool = False
    sizes: tuple[int, int] | None = None  # queries and photos of our own figures
    hashes: tuple[Hashes, ...] = ()  # of the classes that our own figures depend on

    @property
    def setting(self) -> Setting:
        return "fine-grained" if self.protocol == "fine-grained" else "category"

    @property
    def trains(self) -> bool:
        """Zero-shot rows measure the backbone as it is."""
        return self.method != "zero-shot"

    @property
    def source_split(self) -> str:
        """The split that it trains on; cross-dataset splits name another."""
        return SAMPLE if self.split == SAMPLE else known_splits()[self.split].source or self.split

    @property
    def data(self) -> str:
        """The dataset it trains on."""
        return SAMPLE if self.split == SAMPLE else known_splits()[self.source_split].dataset

    @property
    def target(self) -> str | None:
        """The other dataset that it is evaluated on, if there is one."""
        return known_splits()[self.split].dataset if self.protocol == "cross" else None

    @property
    def seen_classes(self) -> int:
        """How many classes it trains on; of a published split."""
        split = known_splits()[self.source_split]
        return len(known_datasets()[split.dataset].classes) - len(split.unseen)

    def protocol_options(self) -> ProtocolOptions:
        """How it is measured."""
        if self.split == SAMPLE:
            return ProtocolOptions(self.protocol, "unseen")
        if self.protocol == "cross":
            return ProtocolOptions("cross", _whole_split(self.split).name, source=self.source_split)
        return ProtocolOptions(self.protocol, self.split)

    def recipe_values(self) -> dict[str, Any]:
        """The values of its recipe beside those of the preset."""
        values = dict(self.settings)
        name = self.data if self.split != SAMPLE else "sketchy"
        classes = preset_values(self.method, self.preset, self.setting, name).get("classes")
        if self.split != SAMPLE and classes in ("train", "seen"):
            values = {"classes": f"{self.source_split}:{classes}", **values}
        return values

    def names(self, metric: str) -> tuple[str, ...]:
        """The names of one of its metrics here: two where the paper does not say which definition it uses."""
        return our_names(metric) if self.status == "published" else (metric,)


@dataclass(frozen=True)
class Origin:
    """Where a dataset comes from."""

    source: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Cost:
    """What hours are estimated from."""

    gpu: str
    peak_tflops: float
    assumed_share: float
    tflop_per_triplet: Mapping[str, float]  # method/setting/preset -> operations, in 10^12
    tflop_per_class: Mapping[str, float]  # of a triplet, for each seen class; 0 for methods that are not named

    def hours(self, row: Row, triplets: int | None) -> float | None:
        """Estimated hours on the GPU; None where operations or triplets are not known."""
        name = f"{row.method}/{row.setting}/{row.preset}"
        each = self.tflop_per_triplet.get(name)
        if each is None or triplets is None or row.settings.keys() - {"classes"}:
            return None
        if more := self.tflop_per_class.get(name):
            each += more * row.seen_classes
        return triplets * each / (self.peak_tflops * self.assumed_share) / 3600


def find_row(name: str) -> Row:
    """The row of this name."""
    known = {row.id: row for row in rows()}
    if name not in known:
        close = nearest(name, known)
        hint = f"did you mean {' or '.join(close)}?" if close else "sketchseek reproduce list shows all"
        raise SketchseekError(f"there is no row {name!r}: {hint}")
    return known[name]


@cache
def rows() -> tuple[Row, ...]:
    """All rows, ours first."""
    return (*_ours(), *_published())


@cache
def tolerance() -> float:
    """By how many points of percent a figure may differ."""
    return float(_data()["tolerance"])


@cache
def origins() -> dict[str, Origin]:
    """Where each dataset comes from."""
    return {name: Origin(one["source"], tuple(one["steps"])) for name, one in _data()["dataset"].items()}


@cache
def cost() -> Cost:
    """What hours are estimated from."""
    return Cost(**_data()["cost"])


def published_triplets(row: Row) -> int | None:
    """Triplets of the whole training on the published dataset; None where its size was not published."""
    if row.split == SAMPLE or not row.trains:
        return None
    counts = known_splits()[row.source_split].published.get("seen", {}).get("sketches")
    epochs = preset_values(row.method, row.preset, row.setting, row.data).get("epochs")
    return None if counts is None or epochs is None else counts[0] * int(epochs)


def _published() -> Iterator[Row]:
    tables = {table.id: table for table in paper_tables()}
    for group in _data()["published"]:
        for table in (tables[name] for name in group["tables"]):
            for one in group["rows"]:
                yield _published_row(table, one, transductive=group.get("transductive", False))


def _published_row(table: PaperTable, one: dict[str, Any], *, transductive: bool) -> Row:
    figures = zip(table.metrics, dict(table.rows)[one["row"]], strict=True)
    ends = [table.protocol] if table.protocol in ("generalized", "fine-grained") else []
    parts = [one["method"], table.split, *ends, *([one["end"]] if "end" in one else [])]
    return Row(
        id="/".join(parts),
        status="published",
        source=f"{table.paper}, {one['row']}",
        method=one["method"],
        protocol=table.protocol,  # type: ignore[arg-type]  # a test checks the names
        split=table.split,
        figures={metric: value for metric, value in figures if value is not None},
        backbone=_data()["backbone"],
        preset=one.get("preset", "paper"),
        settings=one.get("set", {}),
        transductive=transductive,
    )


def _ours() -> Iterator[Row]:
    sample = [Hashes(group, one["names"], one["files"]) for group, one in _data()["sample"].items()]
    for one in _data().get("ours", []):
        trains = one["method"] != "zero-shot"
        yield Row(
            id=one["id"],
            status="ours",
            source="ours, on the development data",
            method=one["method"],
            protocol=one["protocol"],
            split=SAMPLE,
            figures=one["figures"],
            backbone=one["backbone"],
            preset=one["preset"],
            settings=one.get("set", {}),
            sizes=(one["queries"], one["photos"]),
            hashes=tuple(group for group in sample if trains or group.classes == "unseen"),
        )


def _whole_split(split: str) -> KnownSplit:
    """The split of the target dataset that a cross-dataset split is a part of."""
    dataset = known_splits()[split].dataset
    return next(one for one in known_splits().values() if one.dataset == dataset and one.source is None)


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads((files("sketchseek.evaluation") / "reproduce.toml").read_text(encoding="utf-8"))


def title_of(dataset: str) -> str:
    """A dataset's name for people."""
    return "the development data" if dataset == SAMPLE else known_datasets()[dataset].title
