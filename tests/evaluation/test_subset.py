from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.errors import SketchseekError
from sketchseek.evaluation.subset import EVERYTHING, parse_subset
from tests.evaluation.trees import dataset_of

DATA = dataset_of("custom", ["bat", "cow", "door"], photos=7, sketches=5)


@given(st.integers(2, 30), st.integers(2, 30))
def test_every_nth_in_the_order_of_paths(sketch_step, photo_step) -> None:
    subset = parse_subset(f"every-{photo_step}-photos,every-{sketch_step}-sketches")
    assert list(subset.of_sketches(DATA.sketches, 0)) == [
        s for i, s in enumerate(DATA.sketches) if i % sketch_step == 0
    ]
    assert list(subset.of_photos(DATA.photos, 0)) == [p for i, p in enumerate(DATA.photos) if i % photo_step == 0]


@given(st.integers(1, 9), st.integers(0, 5))
def test_n_of_each_class_in_the_order_of_paths(count, seed) -> None:
    kept = parse_subset(f"{count}-photos-per-class").of_photos(DATA.photos, seed)
    assert Counter(p.label for p in kept) == dict.fromkeys(["bat", "cow", "door"], min(count, 7))
    assert list(kept) == sorted(kept, key=lambda p: p.path)
    assert kept == parse_subset(f"{count}-photos-per-class").of_photos(DATA.photos, seed)


def test_the_seed_chooses() -> None:
    rule = parse_subset("2-sketches-per-class")
    assert rule.of_sketches(DATA.sketches, 0) != rule.of_sketches(DATA.sketches, 3)


def test_a_rule_leaves_the_other_kind_alone() -> None:
    assert parse_subset("every-2-photos").of_sketches(DATA.sketches, 0) == DATA.sketches
    assert EVERYTHING.of_photos(DATA.photos, 0) == DATA.photos


def test_labels_are_the_rules_as_written() -> None:
    assert parse_subset(" every-10-photos , 5-sketches-per-class").label == "5-sketches-per-class,every-10-photos"
    assert EVERYTHING.label is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "every-20",
        "every-1-sketches",
        "0-photos-per-class",
        "5-photos",
        "every-2-sketches,3-sketches-per-class",
        "-3-photos",
    ],
)
def test_what_is_no_subset_is_one_sentence(text) -> None:
    with pytest.raises(SketchseekError) as error:
        parse_subset(text)
    assert "\n" not in str(error.value)
    assert "subset" in str(error.value)
