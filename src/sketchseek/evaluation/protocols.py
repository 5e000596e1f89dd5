"""Protocols: which sketches are queries, which photos are ranked, and which are right; with sentences that say so."""

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
from sketchseek.evaluation.relevance import By, Relevance, by_instance, by_label
from sketchseek.evaluation.seeded_choice import choose
from sketchseek.evaluation.subset import EVERYTHING, Rule, Subset
from sketchseek.wording import counted

ProtocolName = Literal["zero-shot", "generalized", "cross", "fine-grained"]
Mixture = Literal["all-seen", "ocean", "dr-clip", "held-out"]

DISTRACTOR = "(distractor)"  # the label of photos that are right for nothing; no class's name has such a key

GALLERY_VARIANTS = {
    "zse": "zse: every photo file, as the published lists have it (Sketchy's has its basic photos twice)",
    "dedup": "dedup: each photo once",
}


@dataclass(frozen=True)
class ProtocolOptions:
    """A protocol with its options; a protocol ignores options of others."""

    name: ProtocolName
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
    variant: str | None  # of the protocol, if it has variants
    queries: tuple[Drawing, ...]
    gallery: tuple[Photo, ...]
    gallery_variant: Variant
    by: By
    within_class: bool  # a query is compared only with photos of its class
    classes: tuple[str, ...]  # of the queries, canonical and sorted
    split: str | None  # the published split whose unseen classes these are
    subset: str | None
    sentences: dict[str, str]  # queries, gallery, relevance, gallery_variant

    @property
    def distractors(self) -> int:
        """How many photos of the gallery were added that are right for nothing."""
        return sum(photo.label == DISTRACTOR for photo in self.gallery)

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
        """Numbers of photos: of the queries' classes, of other classes, of the smallest and of the largest class."""
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


def build_task(dataset: Dataset, options: ProtocolOptions, variant: Variant) -> Task:
    """The task of this protocol on ``dataset``, with the gallery in ``variant`` (fine-grained: always dedup)."""
    chosen = select_classes(dataset, options.classes)
    if options.name == "fine-grained":
        return _fine_grained(dataset, options, chosen)
    if options.name == "generalized":
        return _generalized(dataset, options, variant, chosen)
    if options.name == "cross":
        kept, left_out = _not_seen_by_source(dataset, options, chosen)
        names = "; left out, because the source has them: " + _names(dataset, left_out) if left_out else ""
        about = f"all sketches of {_classes(kept)} that {options.source} does not train on{names}"
        return _by_class(
            dataset, options, variant, kept, gallery(dataset, kept, variant), about, "all photos of the same classes"
        )
    about = f"all sketches of the {_classes(chosen)}"
    return _by_class(
        dataset, options, variant, chosen, gallery(dataset, chosen, variant), about, "all photos of the same classes"
    )


def _by_class(
    dataset: Dataset,
    options: ProtocolOptions,
    variant: Variant,
    classes: tuple[str, ...],
    photos: tuple[Photo, ...],
    queries_sentence: str,
    gallery_sentence: str,
) -> Task:
    sketches = options.subset.of_sketches(queries(dataset, classes), options.seed)
    return _checked(
        dataset,
        options,
        Task(
            protocol=options.name,
            variant=options.mixture if options.name == "generalized" else None,
            queries=sketches,
            gallery=options.subset.of_photos(photos, options.seed),
            gallery_variant=variant,
            by="label",
            within_class=False,
            classes=classes,
            split=_published_name(dataset, classes, options),
            subset=options.subset.label,
            sentences={
                "queries": _with_rule(queries_sentence, options.subset.sketches),
                "gallery": _with_rule(gallery_sentence, options.subset.photos),
                "relevance": "a photo is right if it is of the sketch's class",
                "gallery_variant": GALLERY_VARIANTS[variant],
            },
        ),
    )


def _generalized(dataset: Dataset, options: ProtocolOptions, variant: Variant, unseen: tuple[str, ...]) -> Task:
    seen = _seen_beside(dataset, options.classes, unseen)
    mixture = options.mixture
    if mixture in ("ocean", "dr-clip"):
        base, name = (unseen, "unseen") if mixture == "ocean" else (seen, "seen")
        count = (len(base) + 2) // 5  # a fifth, rounded
        if not count:
            raise DatasetError(
                f"a fifth of {_classes(base)} is none, so no seen class joins {options.classes!r}: name more"
                " classes or choose another variant"
            )
        drawn = choose(seen, count, seed=options.seed, purpose=mixture)
        classes = tuple(sorted((*unseen, *drawn)))
        queries_sentence = (
            f"all sketches of the {_classes(unseen)} and of {_classes(drawn, 'seen ')} (a fifth of the"
            f" number of {name} classes, drawn by seed {options.seed}: {_names(dataset, sorted(drawn))})"
        )
        photos, gallery_sentence = gallery(dataset, classes, variant), "all photos of the same classes"
        return replace(
            _by_class(dataset, options, variant, classes, photos, queries_sentence, gallery_sentence),
            split=_published_name(dataset, unseen, options),
        )
    queries_sentence = f"all sketches of the {_classes(unseen)}"
    photos = gallery(dataset, (*unseen, *seen), variant)
    gallery_sentence = f"all photos of the same classes and all photos of the {_classes(seen, 'other seen ')}"
    if mixture == "held-out":
        kept = _fifth_of_each_class([photo for photo in photos if photo.label in seen], options.seed)
        photos = tuple(photo for photo in photos if photo.label not in seen or photo.instance in kept)
        gallery_sentence = (
            f"all photos of the same classes and a fifth of the photos of each of the"
            f" {_classes(seen, 'other seen ')}, drawn by seed {options.seed}; a model trained on these"
            " very photos breaks the protocol"
        )
    return _by_class(dataset, options, variant, unseen, photos, queries_sentence, gallery_sentence)


def _fine_grained(dataset: Dataset, options: ProtocolOptions, classes: tuple[str, ...]) -> Task:
    material = fine_grained(dataset, classes)
    photos = tuple(photo for label in sorted(material.galleries) for photo in material.galleries[label])
    photos = options.subset.of_photos(tuple(sorted(photos, key=lambda photo: photo.path)), options.seed)
    there = {photo.instance for photo in photos}
    sketches = tuple(drawing for drawing, photo in material.pairs if photo.instance in there)
    where = "all these classes together" if options.across else "the sketch's own class"
    return _checked(
        dataset,
        options,
        Task(
            protocol="fine-grained",
            variant="across" if options.across else "within-class",
            queries=options.subset.of_sketches(sketches, options.seed),
            gallery=photos,
            gallery_variant="dedup",
            by="instance",
            within_class=not options.across,
            classes=classes,
            split=_published_name(dataset, classes, options),
            subset=options.subset.label,
            sentences={
                "queries": _with_rule(
                    f"all sketches of the {_classes(classes)} whose photo is in the gallery", options.subset.sketches
                ),
                "gallery": _with_rule(
                    f"all photos of {where}, without those of the dataset's extension", options.subset.photos
                ),
                "relevance": "only the photo that the sketch was drawn from is right",
                "gallery_variant": GALLERY_VARIANTS["dedup"],
            },
        ),
    )


def _checked(dataset: Dataset, options: ProtocolOptions, task: Task) -> Task:
    for what, items in (("sketches", task.queries), ("photos", task.gallery)):
        if not items:
            paired = " with a known photo" if task.by == "instance" and what == "sketches" else ""
            raise DatasetError(
                f"{dataset.root} has no {what}{paired} of the classes {options.classes!r}: name other classes or, with"
                " --subset, keep more of them"
            )
    return task


def _not_seen_by_source(
    dataset: Dataset, options: ProtocolOptions, chosen: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The classes that the source does not train on, and those that it does."""
    split = published_split(options.source)
    known = known_splits()[options.source]
    if known.dataset == dataset.name:
        raise DatasetError(
            f"{dataset.root} is {dataset.name}, which the source {options.source!r} belongs to: for the protocol cross,"
            " name another dataset or another source"
        )
    kept = tuple(label for label in chosen if label not in split.seen)
    if not kept:
        raise DatasetError(
            f"every class of {options.classes!r} is a seen class of {options.source}: name other classes"
        )
    return kept, tuple(label for label in chosen if label in split.seen)


def _seen_beside(dataset: Dataset, spec: str, unseen: tuple[str, ...]) -> tuple[str, ...]:
    """The seen classes of the split that ``spec`` names, without those in ``unseen``."""
    name = spec.strip().partition(":")[0]
    seen = select_classes(dataset, f"{name}:seen" if name in known_splits() else "seen")
    rest = tuple(label for label in seen if label not in unseen)
    if not rest:
        raise DatasetError(
            f"no seen class is left besides {spec!r}: the protocol generalized requires some in its gallery"
        )
    return rest


def _fifth_of_each_class(photos: list[Photo], seed: int) -> set[str]:
    by_class: dict[str, set[str]] = {}
    for photo in photos:
        by_class.setdefault(photo.label, set()).add(photo.instance)
    return {
        instance
        for instances in by_class.values()
        for instance in choose(instances, max(1, (len(instances) + 2) // 5), seed=seed, purpose="held-out")
    }


def _published_name(dataset: Dataset, classes: tuple[str, ...], options: ProtocolOptions) -> str | None:
    """The published split with exactly these unseen classes, however the user named them."""
    source = options.source if options.name == "cross" else None
    for known in known_splits().values():
        unseen = {canonical_name(name) for name in known.unseen}
        if known.dataset == dataset.name and known.source == source and unseen == set(classes):
            return known.name
    return None


def _with_rule(sentence: str, rule: Rule | None) -> str:
    return f"{sentence}, of which {rule.text}" if rule else sentence


def _classes(labels: Collection[str], kind: str = "") -> str:
    return counted(len(labels), f"{kind}class", f"{kind}classes")


def _names(dataset: Dataset, labels: Collection[str]) -> str:
    return ", ".join(dataset.classes[label] for label in labels)
