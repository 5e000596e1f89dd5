"""Protocols: which sketches ask, which photos are ranked, and what is right. Each says so in plain sentences."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from sketchseek.datasets import (
    Dataset,
    DatasetError,
    Drawing,
    Photo,
    Variant,
    fine_grained,
    gallery,
    known_splits,
    published_split,
    queries,
    select_classes,
)
from sketchseek.datasets import canonical as canonical_name
from sketchseek.evaluation.draws import draw
from sketchseek.evaluation.relevance import By, Relevance, by_instance, by_label
from sketchseek.evaluation.subset import EVERYTHING, Rule, Subset
from sketchseek.wording import counted

ProtocolName = Literal["zero-shot", "generalized", "cross", "fine-grained"]
Mixture = Literal["all-seen", "ocean", "dr-clip", "held-out"]

GALLERY_VARIANTS = {
    "zse": "zse: every photo file, as the published lists have it (Sketchy's has its basic photos twice)",
    "dedup": "dedup: each photo once",
}


@dataclass(frozen=True)
class Setting:
    """What is asked for; fields that a protocol has no use for are ignored by it."""

    protocol: ProtocolName
    classes: str = "unseen"
    mixture: Mixture = "all-seen"  # generalized
    source: str = "sketchy-25"  # cross: the model was trained on the seen classes of this split
    across: bool = False  # fine-grained
    subset: Subset = EVERYTHING
    seed: int = 0


@dataclass(frozen=True)
class Task:
    """Queries and gallery of one protocol, what is right, and the sentences that say so."""

    protocol: ProtocolName
    variant: str | None  # of the protocol, where it has some
    queries: tuple[Drawing, ...]
    gallery: tuple[Photo, ...]
    gallery_variant: Variant
    by: By
    within_class: bool  # a query sees only the photos of its class
    classes: tuple[str, ...]  # of the queries, canonical and sorted
    split: str | None  # the published split whose unseen classes these are
    subset: str | None
    sentences: dict[str, str]  # queries, gallery, relevance, gallery_variant

    def relevance(self) -> Relevance:
        """Which photo is right for which query, by row."""
        labels = [np.array([item.label for item in items], np.str_) for items in (self.queries, self.gallery)]
        if self.by == "label":
            return by_label(*labels)
        instances = [np.array([item.instance for item in items], np.str_) for items in (self.queries, self.gallery)]
        return by_instance(*labels, *instances, within_class=self.within_class)

    def without(self, paths: Collection[str]) -> "Task":
        """The same task without the items that have these paths."""
        return replace(
            self,
            queries=tuple(item for item in self.queries if item.path not in paths),
            gallery=tuple(item for item in self.gallery if item.path not in paths),
        )

    def sizes(self) -> dict[str, int]:
        """How many photos are of the queries' classes and how many are only in the way; the extremes of a class."""
        own = {item.label for item in self.queries}
        counts = dict.fromkeys(own, 0)
        for photo in self.gallery:
            if photo.label in counts:
                counts[photo.label] += 1
        of_query_classes = sum(counts.values())
        return {
            "of_query_classes": of_query_classes,
            "of_other_classes": len(self.gallery) - of_query_classes,
            "smallest_class": min(counts.values(), default=0),
            "largest_class": max(counts.values(), default=0),
        }

    def to_json(self) -> dict[str, Any]:
        """What the protocol is, without the items."""
        return {
            "name": self.protocol,
            "variant": self.variant,
            "split": self.split,
            "gallery_variant": self.gallery_variant,
            "within_class": self.within_class,
            "gallery_sizes": self.sizes(),
            "sentences": dict(self.sentences),
        }


def build_task(dataset: Dataset, setting: Setting, variant: Variant) -> Task:
    """The task that ``setting`` asks of ``dataset``, with the gallery in ``variant`` (no choice for fine-grained)."""
    chosen = select_classes(dataset, setting.classes)
    if setting.protocol == "fine-grained":
        return _fine_grained(dataset, setting, chosen)
    if setting.protocol == "generalized":
        return _generalized(dataset, setting, variant, chosen)
    if setting.protocol == "cross":
        kept, left_out = _not_seen_by_source(dataset, setting, chosen)
        names = "; left out, because the source has them: " + _names(dataset, left_out) if left_out else ""
        about = f"all sketches of {_classes(kept)} that {setting.source} does not train on{names}"
        return _by_class(
            dataset, setting, variant, kept, gallery(dataset, kept, variant), about, "all photos of the same classes"
        )
    about = f"all sketches of the {_classes(chosen)}"
    return _by_class(
        dataset, setting, variant, chosen, gallery(dataset, chosen, variant), about, "all photos of the same classes"
    )


def _by_class(
    dataset: Dataset,
    setting: Setting,
    variant: Variant,
    classes: tuple[str, ...],
    photos: tuple[Photo, ...],
    asking: str,
    ranked: str,
) -> Task:
    sketches = setting.subset.of_sketches(queries(dataset, classes), setting.seed)
    return _checked(
        dataset,
        setting,
        Task(
            protocol=setting.protocol,
            variant=setting.mixture if setting.protocol == "generalized" else None,
            queries=sketches,
            gallery=setting.subset.of_photos(photos, setting.seed),
            gallery_variant=variant,
            by="label",
            within_class=False,
            classes=classes,
            split=_published_name(dataset, classes, setting),
            subset=setting.subset.label,
            sentences={
                "queries": _thinned(asking, setting.subset.sketches),
                "gallery": _thinned(ranked, setting.subset.photos),
                "relevance": "a photo is right if it is of the sketch's class",
                "gallery_variant": GALLERY_VARIANTS[variant],
            },
        ),
    )


def _generalized(dataset: Dataset, setting: Setting, variant: Variant, unseen: tuple[str, ...]) -> Task:
    seen = _seen_beside(dataset, setting.classes, unseen)
    mixture = setting.mixture
    if mixture in ("ocean", "dr-clip"):
        base, name = (unseen, "unseen") if mixture == "ocean" else (seen, "seen")
        count = (len(base) + 2) // 5  # a fifth, rounded
        if not count:
            raise DatasetError(
                f"a fifth of {_classes(base)} is none, so that no seen class joins {setting.classes!r}: name more"
                " classes or take another variant"
            )
        drawn = draw(seen, count, seed=setting.seed, purpose=mixture)
        classes = tuple(sorted((*unseen, *drawn)))
        asking = (
            f"all sketches of the {_classes(unseen)} and of {_classes(drawn, 'seen ')} (a fifth of the"
            f" number of {name} classes, drawn by seed {setting.seed}: {_names(dataset, sorted(drawn))})"
        )
        photos, ranked = gallery(dataset, classes, variant), "all photos of the same classes"
        return replace(
            _by_class(dataset, setting, variant, classes, photos, asking, ranked),
            split=_published_name(dataset, unseen, setting),
        )
    asking = f"all sketches of the {_classes(unseen)}"
    photos = gallery(dataset, (*unseen, *seen), variant)
    ranked = f"all photos of the same classes and all photos of the {_classes(seen, 'other seen ')}"
    if mixture == "held-out":
        kept = _fifth_of_each_class([photo for photo in photos if photo.label in seen], setting.seed)
        photos = tuple(photo for photo in photos if photo.label not in seen or photo.instance in kept)
        ranked = (
            f"all photos of the same classes and a fifth of the photos of each of the"
            f" {_classes(seen, 'other seen ')}, drawn by seed {setting.seed}; a model trained on these"
            " very photos breaks the protocol"
        )
    return _by_class(dataset, setting, variant, unseen, photos, asking, ranked)


def _fine_grained(dataset: Dataset, setting: Setting, classes: tuple[str, ...]) -> Task:
    material = fine_grained(dataset, classes)
    photos = tuple(photo for label in sorted(material.galleries) for photo in material.galleries[label])
    photos = setting.subset.of_photos(tuple(sorted(photos, key=lambda photo: photo.path)), setting.seed)
    there = {photo.instance for photo in photos}
    sketches = tuple(drawing for drawing, photo in material.pairs if photo.instance in there)
    where = "all these classes together" if setting.across else "the sketch's own class"
    return _checked(
        dataset,
        setting,
        Task(
            protocol="fine-grained",
            variant="across" if setting.across else "within-class",
            queries=setting.subset.of_sketches(sketches, setting.seed),
            gallery=photos,
            gallery_variant="dedup",
            by="instance",
            within_class=not setting.across,
            classes=classes,
            split=_published_name(dataset, classes, setting),
            subset=setting.subset.label,
            sentences={
                "queries": _thinned(
                    f"all sketches of the {_classes(classes)} whose photo is in the gallery", setting.subset.sketches
                ),
                "gallery": _thinned(
                    f"all photos of {where}, without those of the dataset's extension", setting.subset.photos
                ),
                "relevance": "only the photo that the sketch was drawn from is right",
                "gallery_variant": GALLERY_VARIANTS["dedup"],
            },
        ),
    )


def _checked(dataset: Dataset, setting: Setting, task: Task) -> Task:
    for what, items in (("sketches", task.queries), ("photos", task.gallery)):
        if not items:
            paired = " with a known photo" if task.by == "instance" and what == "sketches" else ""
            raise DatasetError(
                f"{dataset.root} has no {what}{paired} of the classes {setting.classes!r}: name other classes or, with"
                " --subset, keep more of them"
            )
    return task


def _not_seen_by_source(
    dataset: Dataset, setting: Setting, chosen: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The classes that training on the source has not met, and those it has."""
    split = published_split(setting.source)
    known = known_splits()[setting.source]
    if known.dataset == dataset.name:
        raise DatasetError(
            f"{dataset.root} is {dataset.name}, which the source {setting.source!r} is of too: for the protocol cross"
            " name another dataset, or another source"
        )
    kept = tuple(label for label in chosen if label not in split.seen)
    if not kept:
        raise DatasetError(
            f"every class of {setting.classes!r} is among the seen ones of {setting.source}: name others"
        )
    return kept, tuple(label for label in chosen if label in split.seen)


def _seen_beside(dataset: Dataset, spec: str, unseen: tuple[str, ...]) -> tuple[str, ...]:
    """The seen classes of the split that ``spec`` is about, without those that are asked."""
    name = spec.strip().partition(":")[0]
    seen = select_classes(dataset, f"{name}:seen" if name in known_splits() else "seen")
    rest = tuple(label for label in seen if label not in unseen)
    if not rest:
        raise DatasetError(f"no seen class is left beside {spec!r}: the protocol generalized needs some in its gallery")
    return rest


def _fifth_of_each_class(photos: list[Photo], seed: int) -> set[str]:
    by_class: dict[str, set[str]] = {}
    for photo in photos:
        by_class.setdefault(photo.label, set()).add(photo.instance)
    return {
        instance
        for instances in by_class.values()
        for instance in draw(instances, max(1, (len(instances) + 2) // 5), seed=seed, purpose="held-out")
    }


def _published_name(dataset: Dataset, classes: tuple[str, ...], setting: Setting) -> str | None:
    """The published split with exactly these unseen classes: told by the classes, whatever the user called them."""
    source = setting.source if setting.protocol == "cross" else None
    for known in known_splits().values():
        unseen = {canonical_name(name) for name in known.unseen}
        if known.dataset == dataset.name and known.source == source and unseen == set(classes):
            return known.name
    return None


def _thinned(sentence: str, rule: Rule | None) -> str:
    return f"{sentence}, of which {rule.text}" if rule else sentence


def _classes(labels: Collection[str], kind: str = "") -> str:
    return counted(len(labels), f"{kind}class", f"{kind}classes")


def _names(dataset: Dataset, labels: Collection[str]) -> str:
    return ", ".join(dataset.classes[label] for label in labels)
