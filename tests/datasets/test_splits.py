from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.datasets import (
    Dataset,
    DatasetError,
    canonical,
    known_datasets,
    known_splits,
    published_split,
    select_classes,
    split_of,
    validation_classes,
)


def dataset_of(*classes: str, name: str = "custom", **groups: tuple[str, ...]) -> Dataset:
    return Dataset(name, "simple", Path("root"), {canonical(c): c for c in sorted(classes)}, (), (), (), groups)


SKETCHY = dataset_of(*known_datasets()["sketchy"].classes, name="sketchy")


@pytest.mark.parametrize(("name", "classes"), [("sketchy", 125), ("tuberlin", 250), ("quickdraw", 110)])
def test_class_lists_are_complete_and_without_doubles(name: str, classes: int) -> None:
    known = known_datasets()[name]
    assert len(known.classes) == len(known.spelling()) == classes


@pytest.mark.parametrize(
    ("name", "train", "val", "unseen"),
    [
        ("sketchy-21", 94, 10, 21),
        ("sketchy-25", 90, 10, 25),
        ("tuberlin-30", 198, 22, 30),
        ("quickdraw-30", 72, 8, 30),
        ("sketchy25-to-tuberlin-21", 90, 10, 21),
        ("sketchy25-to-quickdraw-11", 90, 10, 11),
    ],
)
def test_shipped_splits_have_the_published_sizes(name: str, train: int, val: int, unseen: int) -> None:
    split = published_split(name)
    assert (len(split.train), len(split.val), len(split.unseen)) == (train, val, unseen)
    assert not set(split.seen) & set(split.unseen)
    assert set(split.unseen) <= known_datasets()[known_splits()[name].dataset].spelling().keys()
    assert split.group("all") == tuple(sorted(split.seen + split.unseen))


def test_the_two_sketchy_splits_overlap_in_four_classes() -> None:
    common = set(published_split("sketchy-21").unseen) & set(published_split("sketchy-25").unseen)
    assert common == {"scissors", "tree", "wheelchair", "windmill"}


@pytest.mark.parametrize("target", ["tuberlin", "quickdraw"])
def test_shipped_cross_dataset_classes_follow_the_rule(target: str) -> None:
    shipped = next(s for s in known_splits().values() if s.source and s.dataset == target)
    assert shipped.source == "sketchy-25"
    unseen = known_splits()[f"{target}-30"].unseen
    by_rule = tuple(sorted({canonical(name) for name in unseen} - set(published_split(shipped.source).seen)))
    assert published_split(shipped.name).unseen == by_rule


def test_names_and_aliases_never_mean_two_splits() -> None:
    said = [alias for split in known_splits().values() for alias in (split.name, *split.aliases)]
    assert len(said) == len(set(said))


def test_published_counts_add_up() -> None:
    for dataset in ("sketchy", "tuberlin"):
        whole = known_datasets()[dataset].published
        for split in known_splits().values():
            if split.dataset == dataset and split.published:
                seen, unseen = split.published["seen"], split.published["unseen"]
                assert seen["sketches"][-1] + unseen["sketches"][0] == whole["sketches"][0]
                assert seen["photos"][0] + unseen["photos"][0] == whole["photos"][0]


def test_validation_classes_are_fixed() -> None:
    # These lists must never change: results on "val" are compared across versions.
    assert published_split("sketchy-21").val == (
        "ant", "bread", "cannon", "crocodilian", "guitar", "pickuptruck", "pretzel", "sailboat", "turtle", "wadingbird",
    )  # fmt: skip
    assert published_split("quickdraw-30").val == (
        "ant", "car", "crocodilian", "cruiseship", "eiffeltower", "guitar", "pickuptruck", "sailboat",
    )  # fmt: skip


def test_validation_classes_do_not_depend_on_order_or_spelling() -> None:
    names = ["cat", "car_(sedan)", "dog", "cow"]
    chosen = {validation_classes(order) for order in permutations(names)}
    assert chosen == {validation_classes(["Cat", "car sedan", "DOG", "c-o-w"])}


@given(st.sets(st.from_regex("[a-z]{1,6}", fullmatch=True), max_size=60))
def test_validation_classes_are_a_tenth_but_two_and_at_most_half(names: set[str]) -> None:
    val = validation_classes(names)
    assert len(val) == min(max(2, len(names) // 10), len(names) // 2)
    assert set(val) <= names
    assert list(val) == sorted(val)


def test_groups_of_a_published_dataset_are_of_its_first_split() -> None:
    assert split_of(SKETCHY).name == "sketchy-21"
    assert select_classes(SKETCHY, "unseen") == published_split("sketchy-21").unseen
    assert select_classes(SKETCHY, "val") == published_split("sketchy-21").val
    assert len(select_classes(SKETCHY, "train")) == 94
    assert len(select_classes(SKETCHY, "seen")) == 104
    assert len(select_classes(SKETCHY, "all")) == 125


def test_a_split_is_selected_by_name() -> None:
    assert select_classes(SKETCHY, "sketchy-25") == published_split("sketchy-25").unseen
    assert select_classes(SKETCHY, "sketchy-25:val") == published_split("sketchy-25").val
    assert len(select_classes(SKETCHY, "sketchy-25:all")) == 125
    assert split_of(SKETCHY, "sketchy-25") == published_split("sketchy-25")


def test_own_groups_win() -> None:
    own = dataset_of(*SKETCHY.classes, name="sketchy", train=("ant", "bat"), val=("bee",), unseen=("cow",))
    assert select_classes(own, "train") == ("ant", "bat")
    assert select_classes(own, "seen") == ("ant", "bat", "bee")
    assert select_classes(own, "unseen") == ("cow",)


def test_own_groups_without_val_get_some_by_the_rule() -> None:
    own = dataset_of("a", "b", "c", "d", "e", train=("a", "b", "c", "d"), unseen=("e",))
    assert select_classes(own, "val") == validation_classes("abcd")
    assert select_classes(own, "seen") == ("a", "b", "c", "d")
    assert len(select_classes(own, "train")) == 2


def test_a_folder_without_a_split_is_all_seen() -> None:
    own = dataset_of("cat", "dog", "cow", "pig")
    assert select_classes(own, "seen") == ("cat", "cow", "dog", "pig")
    assert len(select_classes(own, "val")) == 2
    with pytest.raises(DatasetError, match=r"no unseen classes: give it a splits\.json"):
        select_classes(own, "unseen")


def test_classes_by_name_in_any_spelling_and_order() -> None:
    assert select_classes(SKETCHY, "Car (Sedan), bat ,  bat,ant") == ("ant", "bat", "carsedan")
    assert select_classes(dataset_of("train", "bus"), "train,") == ("train",)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("girafe,cow", "no class 'girafe': did you mean giraffe"),
        ("unsen", "did you mean unseen"),
        ("sketchy-22", "did you mean sketchy-2"),
        ("qqqqq", "no class 'qqqqq'; it has airplane, alarm_clock, ant, ape, apple and 120 more"),
        (" , ", "no class is named"),
        ("", "no class is named"),
        ("sketchy-21:test", "no group 'test' of classes in 'sketchy-21:test': choose train, val"),
    ],
)
def test_mistakes_in_a_selection(spec: str, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        select_classes(SKETCHY, spec)


def test_a_split_of_which_classes_are_missing_is_refused() -> None:
    partial = dataset_of(*(set(SKETCHY.classes.values()) - {"horse", "bell"}), name="sketchy")
    with pytest.raises(DatasetError, match="'sketchy-25' has 25 classes, of which root lacks bell, horse"):
        select_classes(partial, "sketchy-25")
    assert len(select_classes(partial, "sketchy-21")) == 21


def test_an_unknown_split_names_those_that_are_like_it() -> None:
    with pytest.raises(DatasetError, match="choose sketchy-21"):
        published_split("sketchy_21")
