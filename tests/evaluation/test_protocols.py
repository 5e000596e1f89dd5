from typing import Any

import numpy as np
import pytest

from sketchseek.datasets import DatasetError, canonical, known_datasets, known_splits, published_split
from sketchseek.datasets.galleries import Variant
from sketchseek.evaluation.protocols import ProtocolOptions, build_task
from sketchseek.evaluation.subset import parse_subset
from tests.evaluation.trees import dataset_of

OWN = dataset_of(
    "custom",
    ["bat", "cow", "door", "tree", "saw", "pear"],
    photos=5,
    sketches=3,
    extended=2,
    groups={"train": ["bat", "cow", "door"], "val": ["tree"], "unseen": ["saw", "pear"]},
)


def published(name: str, **counts: Any):
    return dataset_of(name, known_datasets()[name].classes, **counts)


def labels(items) -> set[str]:
    return {item.label for item in items}


def test_zero_shot_is_all_of_the_classes_and_nothing_else() -> None:
    task = build_task(OWN, ProtocolOptions("zero-shot"), "zse")
    assert labels(task.queries) == labels(task.gallery) == {"saw", "pear"}
    assert (len(task.queries), len(task.gallery)) == (6, 14)
    assert len(build_task(OWN, ProtocolOptions("zero-shot"), "dedup").gallery) == 10
    assert (task.by, task.within_class, task.subset, task.variant) == ("label", False, None, None)


def test_relevance_by_label_is_the_class() -> None:
    task = build_task(OWN, ProtocolOptions("zero-shot"), "zse")
    relevance = task.relevance()
    for query, key in zip(task.queries, relevance.query_keys, strict=True):
        right = [photo.path for photo, other in zip(task.gallery, relevance.gallery_keys, strict=True) if key == other]
        assert right == [photo.path for photo in task.gallery if photo.label == query.label]
    assert relevance.query_groups is None


def test_all_seen_adds_distractors_and_no_queries() -> None:
    task = build_task(OWN, ProtocolOptions("generalized"), "zse")
    assert labels(task.queries) == {"saw", "pear"}
    assert labels(task.gallery) == set(OWN.classes)
    assert task.sizes() == {"of_query_classes": 14, "of_other_classes": 28, "smallest_class": 7, "largest_class": 7}


@pytest.mark.parametrize(
    ("name", "classes", "mixture", "total"),
    [
        ("sketchy", "sketchy-25", "ocean", 30),
        ("sketchy", "sketchy-21", "dr-clip", 42),
        ("tuberlin", "tuberlin-30", "ocean", 36),
        ("tuberlin", "tuberlin-30", "dr-clip", 74),
    ],
)
def test_mixed_classes_are_as_many_as_the_papers_say(name, classes, mixture, total) -> None:
    data = published(name)
    task = build_task(data, ProtocolOptions("generalized", classes, mixture), "zse")
    split = published_split(classes)
    assert labels(task.queries) == labels(task.gallery) == set(task.classes)
    assert len(task.classes) == total
    assert set(split.unseen) < set(task.classes) <= set(split.unseen) | set(split.seen)
    assert task.split == classes
    again, other = (
        build_task(data, ProtocolOptions("generalized", classes, mixture, seed=seed), "zse") for seed in (0, 1)
    )
    assert again == task
    assert other.classes != task.classes
    assert all(data.classes[label] in task.sentences["queries"] for label in set(task.classes) & set(split.seen))


def test_held_out_keeps_a_fifth_of_each_seen_class_in_both_galleries() -> None:
    expected: dict[Variant, set[int]] = {"zse": {1, 2}, "dedup": {1}}
    for variant, copies in expected.items():
        task = build_task(OWN, ProtocolOptions("generalized", mixture="held-out"), variant)
        for label in ("bat", "cow", "door", "tree"):
            kept = [photo for photo in task.gallery if photo.label == label]
            assert len({photo.instance for photo in kept}) == 1
            assert len(kept) in copies
        assert sum(photo.label == "saw" for photo in task.gallery) == (7 if variant == "zse" else 5)


def test_validation_classes_have_the_other_seen_ones_as_distractors() -> None:
    task = build_task(OWN, ProtocolOptions("generalized", "val"), "zse")
    assert labels(task.queries) == {"tree"}
    assert labels(task.gallery) == {"tree", "bat", "cow", "door"}


def test_one_class_is_singular() -> None:
    task = build_task(OWN, ProtocolOptions("generalized", "saw"), "zse")
    assert task.sentences["queries"] == "all sketches of the 1 class"
    assert task.sentences["gallery"].endswith("all photos of the 4 other seen classes")


@pytest.mark.parametrize("mixture", ["ocean", "dr-clip"])
def test_a_mixture_without_a_seen_class_is_refused(mixture) -> None:
    few = dataset_of(
        "custom", ["bat", "cow", "saw", "pear"], groups={"train": ["bat", "cow"], "unseen": ["saw", "pear"]}
    )
    with pytest.raises(DatasetError, match="a fifth of 2 classes is none"):
        build_task(few, ProtocolOptions("generalized", mixture=mixture), "zse")


def test_generalized_without_seen_classes_is_refused() -> None:
    with pytest.raises(DatasetError, match="seen"):
        build_task(OWN, ProtocolOptions("generalized", "seen"), "zse")


@pytest.mark.parametrize(
    ("name", "split", "count"),
    [("tuberlin", "sketchy25-to-tuberlin-21", 21), ("quickdraw", "sketchy25-to-quickdraw-11", 11)],
)
@pytest.mark.parametrize("spec", ["unseen", None])
def test_cross_dataset_classes_are_the_published_ones(name, split, count, spec) -> None:
    task = build_task(published(name), ProtocolOptions("cross", spec or split), "zse")
    assert set(task.classes) == {canonical(one) for one in known_splits()[split].unseen}
    assert (len(task.classes), task.split) == (count, split)
    assert labels(task.queries) == labels(task.gallery) == set(task.classes)
    assert not set(task.classes) & set(published_split("sketchy-25").seen)
    assert ("left out" in task.sentences["queries"]) == (spec == "unseen")


def test_cross_on_the_source_itself_is_refused() -> None:
    with pytest.raises(DatasetError, match="another dataset"):
        build_task(published("sketchy"), ProtocolOptions("cross"), "zse")
    with pytest.raises(DatasetError, match="every class"):
        build_task(published("tuberlin"), ProtocolOptions("cross", "pizza,shoe"), "zse")
    assert build_task(published("sketchy"), ProtocolOptions("cross", source="tuberlin-30"), "zse").queries


def test_fine_grained_ranks_each_basic_photo_once_within_its_class() -> None:
    task = build_task(OWN, ProtocolOptions("fine-grained"), "zse")
    assert not any(photo.extended for photo in task.gallery)
    assert len(task.gallery) == len({photo.instance for photo in task.gallery}) == 10
    relevance = task.relevance()
    assert relevance.query_groups is not None
    for query, key in zip(task.queries, relevance.query_keys, strict=True):
        right = [
            photo.instance for photo, other in zip(task.gallery, relevance.gallery_keys, strict=True) if key == other
        ]
        assert right == [query.instance]
    assert build_task(OWN, ProtocolOptions("fine-grained", across=True), "zse").relevance().query_groups is None


def test_fine_grained_without_pairs_is_refused() -> None:
    alone = dataset_of("custom", ["bat"], photos=0, sketches=2)
    with pytest.raises(DatasetError, match="no sketches with a known photo"):
        build_task(alone, ProtocolOptions("fine-grained", "bat"), "dedup")


def test_a_thinned_fine_grained_gallery_thins_the_queries() -> None:
    task = build_task(OWN, ProtocolOptions("fine-grained", subset=parse_subset("2-photos-per-class")), "zse")
    there = {photo.instance for photo in task.gallery}
    assert len(task.gallery) == 4
    assert {query.instance for query in task.queries} <= there
    assert task.subset == "2-photos-per-class"
    assert "2-photos-per-class" in task.sentences["gallery"]


@pytest.mark.parametrize("protocol", ["zero-shot", "generalized", "fine-grained"])
def test_every_protocol_says_what_it_is(protocol) -> None:
    found = build_task(OWN, ProtocolOptions(protocol), "dedup").to_json()
    assert found["name"] == protocol
    assert set(found["sentences"]) == {"queries", "gallery", "relevance", "gallery_variant"}
    assert all(found["sentences"].values())
    assert found["gallery_variant"] == "dedup"


def test_the_published_split_is_recognised_by_its_classes() -> None:
    data = published("sketchy")
    names = ",".join(known_splits()["sketchy-21"].unseen)
    assert build_task(data, ProtocolOptions("zero-shot", names), "zse").split == "sketchy-21"
    assert build_task(data, ProtocolOptions("zero-shot", names + ",zebra"), "zse").split is None


def test_without_takes_items_out_and_keeps_the_rest() -> None:
    task = build_task(OWN, ProtocolOptions("zero-shot"), "zse")
    gone = {task.queries[0].path, task.gallery[3].path}
    less = task.without(gone)
    assert [q.path for q in less.queries] == [q.path for q in task.queries[1:]]
    assert [p.path for p in less.gallery] == [p.path for i, p in enumerate(task.gallery) if i != 3]
    assert len(np.unique(less.relevance().query_keys)) == 2
