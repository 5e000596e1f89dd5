from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.datasets import DatasetError
from sketchseek.datasets.samplers import category_pure, classes_by_items, shuffled

LABELS = st.lists(st.sampled_from(["cat", "dog", "cow", "bat", "pig"]), min_size=1, max_size=80)
SEEDS = st.integers(0, 2**32)
EPOCHS = st.integers(0, 1000)


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@given(st.integers(1, 200), st.data(), SEEDS, EPOCHS)
def test_shuffled_gives_each_item_once(items: int, data: st.DataObject, seed: int, epoch: int) -> None:
    batch = data.draw(st.integers(1, items))
    batches = shuffled(items, batch, seed=seed, epoch=epoch)
    assert [len(b) for b in batches] == [batch] * (items // batch)
    flat = np.concatenate(batches)
    assert len(np.unique(flat)) == len(flat)
    assert set(flat.tolist()) <= set(range(items))
    assert same(batches, shuffled(items, batch, seed=seed, epoch=epoch))


@given(LABELS, st.integers(1, 5), st.integers(1, 4), SEEDS, EPOCHS)
def test_classes_by_items(labels: list[str], classes: int, items: int, seed: int, epoch: int) -> None:
    groups = [count // items for count in Counter(labels).values()]
    if sum(count > 0 for count in groups) < classes:
        with pytest.raises(DatasetError, match="cannot be filled: only"):
            classes_by_items(labels, classes, items, seed=seed, epoch=epoch)
        return
    batches = classes_by_items(labels, classes, items, seed=seed, epoch=epoch)
    assert batches
    for batch in batches:
        assert sorted(Counter(labels[i] for i in batch).values()) == [items] * classes
    flat = np.concatenate(batches)
    assert len(np.unique(flat)) == len(flat)
    # It ends only where no further batch can be filled.
    used = Counter(labels[i] for i in flat)
    left = [(Counter(labels)[label] // items) - used[label] // items for label in set(labels)]
    assert sum(count > 0 for count in left) < classes
    assert same(batches, classes_by_items(labels, classes, items, seed=seed, epoch=epoch))


@given(LABELS, st.integers(1, 12), SEEDS, EPOCHS)
def test_category_pure(labels: list[str], batch: int, seed: int, epoch: int) -> None:
    counts = Counter(labels)
    if max(counts.values()) < batch:
        with pytest.raises(DatasetError, match=f"largest class has {max(counts.values())} items"):
            category_pure(labels, batch, seed=seed, epoch=epoch)
        return
    batches = category_pure(labels, batch, seed=seed, epoch=epoch)
    of = Counter(labels[b[0]] for b in batches)
    assert of == {label: count // batch for label, count in counts.items() if count >= batch}
    assert all(len(b) == batch and len({labels[i] for i in b}) == 1 for b in batches)
    flat = np.concatenate(batches)
    assert len(np.unique(flat)) == len(flat)
    assert same(batches, category_pure(labels, batch, seed=seed, epoch=epoch))


def test_epochs_and_seeds_differ() -> None:
    labels = np.repeat(np.arange(8), 25)
    for batches in (
        lambda **key: shuffled(200, 10, **key),
        lambda **key: classes_by_items(labels, 4, 5, **key),
        lambda **key: category_pure(labels, 5, **key),
    ):
        runs = [batches(seed=s, epoch=e) for s, e in ((0, 0), (0, 1), (1, 0), (1, 1))]
        assert not any(same(runs[i], runs[j]) for i in range(4) for j in range(i))


def test_classes_meet_evenly_and_big_ones_do_not_remain_alone() -> None:
    equal = classes_by_items(np.repeat(np.arange(10), 40), 5, 4, seed=3, epoch=0)
    assert len(equal) >= 18  # of 20 that are possible
    uneven = np.repeat(np.arange(6), [100, 20, 20, 20, 20, 20])
    batches = classes_by_items(uneven, 2, 5, seed=3, epoch=0)
    assert sum((uneven[b] == 0).any() for b in batches) > 10
    met = Counter(label for b in batches for label in set(uneven[b].tolist()))
    assert all(met[label] >= 2 for label in range(6))


def test_category_pure_mixes_the_order_of_classes() -> None:
    batches = category_pure(np.repeat(np.arange(4), 50), 5, seed=0, epoch=0)
    order = [int(b[0]) // 50 for b in batches]
    assert order != sorted(order)


def test_mistakes() -> None:
    with pytest.raises(DatasetError, match="a batch of 9 cannot be filled from 8 items"):
        shuffled(8, 9, seed=0, epoch=0)
    with pytest.raises(DatasetError, match="a batch of 0"):
        shuffled(8, 0, seed=0, epoch=0)
    with pytest.raises(DatasetError, match="2 classes with 3 items each cannot be filled: only 1 of 2 classes"):
        classes_by_items(["cat"] * 3 + ["dog"] * 2, 2, 3, seed=0, epoch=0)
    with pytest.raises(DatasetError, match="at least 1 of both"):
        classes_by_items(["cat"], 1, 0, seed=0, epoch=0)
    with pytest.raises(DatasetError, match="only 0 of 0 classes"):
        classes_by_items([], 1, 1, seed=0, epoch=0)
    with pytest.raises(DatasetError, match="largest class has 0 items"):
        category_pure([], 4, seed=0, epoch=0)
    with pytest.raises(DatasetError, match="a batch of 0"):
        category_pure(["cat"], 0, seed=0, epoch=0)
