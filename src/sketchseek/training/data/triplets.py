"""A right and a wrong photo for each sketch of a batch: drawn again in every epoch, determined by the seed."""

from dataclasses import dataclass

import numpy as np

from sketchseek.methods.method import Augmentation, Setting
from sketchseek.training.data.augment import Changes, draw_changes
from sketchseek.training.data.material import Material, Rows


@dataclass(frozen=True)
class Triplets:
    """Rows of the material, and the random changes to their pictures."""

    sketches: Rows  # (n,)
    positives: Rows  # (n,) photos
    negatives: Rows  # (n,) photos
    changes: tuple[Changes, ...]


def draw_triplets(
    material: Material, setting: Setting, chances: Augmentation, sketches: Rows, *, seed: int, epoch: int, first: int
) -> Triplets:
    """Photos for these sketches, whose positions in the epoch start at ``first``.

    Category level: the positive is any photo of the class; the negative is any photo of another class, which is drawn
    first, so that large classes are not preferred. Fine-grained: the photo of the sketch, and another one of its class.

    Every triplet has its own random numbers (seed, epoch, position), so it does not depend on how a batch is split.
    """
    positives, negatives, changes = [], [], []
    for position, sketch in enumerate(sketches, start=first):
        random = np.random.default_rng([seed, epoch, position])
        label = material.sketch_labels[sketch]
        own = material.members[label]
        if setting == "fine-grained":
            positive = material.paired_photos[sketch]
            others = own[own != positive]
            negative = others[random.integers(len(others))]
        else:
            positive = own[random.integers(len(own))]
            other = (label + 1 + random.integers(len(material.classes) - 1)) % len(material.classes)
            negative = material.members[other][random.integers(len(material.members[other]))]
        positives.append(positive)
        negatives.append(negative)
        changes.append(draw_changes(chances, random))
    return Triplets(np.asarray(sketches), np.array(positives, np.int64), np.array(negatives, np.int64), tuple(changes))
