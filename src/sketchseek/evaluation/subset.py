"""Subsets of queries and galleries, for a quick look: always labelled, so that they are not taken for full results."""

import re
from dataclasses import dataclass
from typing import TypeVar

from sketchseek.datasets import Drawing, Photo
from sketchseek.errors import SketchseekError
from sketchseek.evaluation.seeded_choice import choose

Item = TypeVar("Item", Drawing, Photo)

FORMS = "every-N-sketches, every-N-photos, N-sketches-per-class or N-photos-per-class, with a comma between two of them"
_RULE = re.compile(
    r"every-(?P<step>\d{1,6})-(?P<of_step>sketches|photos)|(?P<most>\d{1,6})-(?P<of_most>sketches|photos)-per-class"
)


@dataclass(frozen=True)
class Rule:
    """Keep every ``step``-th item in the order of paths, or at most ``most`` of each class, drawn by the seed."""

    text: str
    step: int = 1
    most: int | None = None

    def keep(self, items: tuple[Item, ...], seed: int) -> tuple[Item, ...]:
        items = items[:: self.step]
        if self.most is None:
            return items
        by_class: dict[str, list[str]] = {}
        for item in items:
            by_class.setdefault(item.label, []).append(item.path)
        drawn = {path for paths in by_class.values() for path in choose(paths, self.most, seed=seed, purpose=self.text)}
        return tuple(item for item in items if item.path in drawn)


@dataclass(frozen=True)
class Subset:
    """What to keep of the sketches and of the photos; None keeps all."""

    sketches: Rule | None = None
    photos: Rule | None = None

    @property
    def label(self) -> str | None:
        """The rules as the user writes them; None for everything."""
        return ",".join(rule.text for rule in (self.sketches, self.photos) if rule) or None

    def of_sketches(self, sketches: tuple[Drawing, ...], seed: int) -> tuple[Drawing, ...]:
        return self.sketches.keep(sketches, seed) if self.sketches else sketches

    def of_photos(self, photos: tuple[Photo, ...], seed: int) -> tuple[Photo, ...]:
        return self.photos.keep(photos, seed) if self.photos else photos


EVERYTHING = Subset()


def parse_subset(text: str) -> Subset:
    """``every-20-sketches,every-10-photos`` and the like; see ``FORMS``."""
    rules: dict[str, Rule] = {}
    for part in text.split(","):
        match = _RULE.fullmatch(part.strip())
        step, most = (int(match["step"] or 0), int(match["most"] or 0)) if match else (0, 0)
        if match is None or (step < 2 and most < 1):
            raise SketchseekError(f"{part.strip()!r} is not a subset: write {FORMS}; N is at least 2 after 'every'")
        kind = match["of_step"] or match["of_most"]
        if kind in rules:
            raise SketchseekError(f"the subset {text!r} has two rules for {kind}: write one")
        rules[kind] = Rule(part.strip(), step, None) if step else Rule(part.strip(), 1, most)
    return Subset(rules.get("sketches"), rules.get("photos"))
