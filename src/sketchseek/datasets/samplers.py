"""Batches for training. An epoch's batches depend only on its seed: to resume, make them again and skip steps."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sketchseek.datasets.items import DatasetError

Batch = NDArray[np.int64]  # positions of items, (batch,)


def shuffled(items: int, batch: int, *, seed: int, epoch: int) -> list[Batch]:
    """All items in random order, cut into batches; a last batch that would be smaller is dropped."""
    if not 0 < batch <= items:
        raise DatasetError(f"a batch of {batch} cannot be filled from {items} items: use a batch of 1 to {items}")
    order = _generator(seed, epoch).permutation(items)
    return list(order[: items // batch * batch].reshape(-1, batch))


def classes_by_items(labels: ArrayLike, classes: int, items: int, *, seed: int, epoch: int) -> list[Batch]:
    """Batches of ``classes`` distinct classes with ``items`` distinct items each (P x K).

    Every class is shuffled and cut into groups of ``items``; a batch draws its classes by the number of groups they
    have left, so that large classes do not remain alone at the end. No item appears twice; the rest is dropped.
    """
    if classes < 1 or items < 1:
        raise DatasetError(f"a batch of {classes} classes with {items} items each is empty: use at least 1 of both")
    members = _members(labels)
    left = np.array([len(group) // items for group in members])
    if np.count_nonzero(left) < classes:
        raise DatasetError(
            f"a batch of {classes} classes with {items} items each cannot be filled: only {np.count_nonzero(left)} of "
            f"{len(members)} classes have as many items; use fewer classes or fewer items"
        )
    random = _generator(seed, epoch)
    orders = [random.permutation(group) for group in members]
    batches: list[Batch] = []
    while np.count_nonzero(left) >= classes:
        chosen = random.choice(len(left), size=classes, replace=False, p=left / left.sum())
        left[chosen] -= 1
        groups = [orders[position][left[position] * items : (left[position] + 1) * items] for position in chosen]
        batches.append(np.concatenate(groups))
    return [batches[position] for position in random.permutation(len(batches))]


def category_pure(labels: ArrayLike, batch: int, *, seed: int, epoch: int) -> list[Batch]:
    """Batches of one class each: shuffle inside each class, cut to size, drop the rest, shuffle the batches.

    For losses whose negatives are other photos of the class. A class smaller than a batch is not used.
    """
    if batch < 1:
        raise DatasetError(f"a batch of {batch} cannot be filled: use a batch of at least 1")
    random = _generator(seed, epoch)
    batches: list[Batch] = []
    for members in _members(labels):
        whole = len(members) // batch * batch
        batches.extend(random.permutation(members)[:whole].reshape(-1, batch))
    if not batches:
        largest = max((len(members) for members in _members(labels)), default=0)
        raise DatasetError(f"a batch of {batch} of one class cannot be filled: the largest class has {largest} items")
    return [batches[position] for position in random.permutation(len(batches))]


def _members(labels: ArrayLike) -> list[Batch]:
    """Positions of the items of each class, classes in sorted order."""
    _, numbers = np.unique(np.asarray(labels), return_inverse=True)
    order = np.argsort(numbers, kind="stable").astype(np.int64)
    return np.split(order, np.cumsum(np.bincount(numbers))[:-1]) if len(order) else []


def _generator(seed: int, epoch: int) -> np.random.Generator:
    return np.random.default_rng([seed, epoch])
