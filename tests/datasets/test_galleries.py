from pathlib import Path

import pytest

from sketchseek.datasets import DatasetError, fine_grained, gallery, open_dataset, queries, select_classes
from tests.datasets.trees import SAKE_MORE, SAKE_PHOTO, plant, sake, simple


def test_both_gallery_variants_of_a_tree_with_copies(tmp_path: Path) -> None:
    dataset = open_dataset(sake(tmp_path))
    as_listed = [photo.path for photo in gallery(dataset, ["bat"], "zse")]
    assert as_listed == [f"{SAKE_PHOTO}/bat/n1_7.jpg", f"{SAKE_MORE}/bat/n1_7.jpg", f"{SAKE_MORE}/bat/n1_8.jpg"]
    once = [photo.path for photo in gallery(dataset, ["bat"], "dedup")]
    assert once == [f"{SAKE_PHOTO}/bat/n1_7.jpg", f"{SAKE_MORE}/bat/n1_8.jpg"]


def test_dedup_takes_the_basic_file_also_when_it_comes_later(tmp_path: Path) -> None:
    plant(simple(tmp_path, "cat"), "extended_photo/cat/cat_1.jpg")
    photos = gallery(open_dataset(tmp_path), {"cat"}, "dedup")
    assert [photo.path for photo in photos] == ["photo/cat/cat_1.jpg", "photo/cat/cat_2.jpg"]


def test_the_same_name_in_two_classes_is_two_photos(tmp_path: Path) -> None:
    plant(tmp_path, "photo/a/1.jpg", "photo/b/1.jpg", "sketch/a/1-1.png", "sketch/b/1-1.png")
    dataset = open_dataset(tmp_path)
    assert len(gallery(dataset, ["a", "b"], "dedup")) == 2
    pairs = fine_grained(dataset, ["a", "b"]).pairs
    assert [(sketch.path, photo.path) for sketch, photo in pairs] == [
        ("sketch/a/1-1.png", "photo/a/1.jpg"),
        ("sketch/b/1-1.png", "photo/b/1.jpg"),
    ]


def test_queries_are_all_sketches_of_the_classes(tmp_path: Path) -> None:
    dataset = open_dataset(plant(simple(tmp_path, "cat", "dog"), "sketch/cat/orphan-1.png"))
    assert [drawing.path for drawing in queries(dataset, ["cat"])] == [
        "sketch/cat/cat_1-1.png",
        "sketch/cat/cat_1-2.png",
        "sketch/cat/orphan-1.png",
    ]
    assert queries(dataset, []) == ()


def test_fine_grained_knows_the_basic_photos_only_each_once(tmp_path: Path) -> None:
    plant(simple(tmp_path, "cat", "dog"), "extended_photo/cat/far.jpg", "sketch/cat/far-1.png", "photo/cat/cat_1.png")
    found = fine_grained(open_dataset(tmp_path), ["cat"])
    assert {label: [photo.path for photo in photos] for label, photos in found.galleries.items()} == {
        "cat": ["photo/cat/cat_1.jpg", "photo/cat/cat_2.jpg"]
    }
    assert [(drawing.path, photo.path) for drawing, photo in found.pairs] == [
        ("sketch/cat/cat_1-1.png", "photo/cat/cat_1.jpg"),
        ("sketch/cat/cat_1-2.png", "photo/cat/cat_1.jpg"),
    ]


def test_unknown_variant(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no gallery variant 'all': choose zse or dedup"):
        gallery(open_dataset(simple(tmp_path)), ["cat"], "all")  # type: ignore[arg-type]


@pytest.mark.data
def test_real_sketchy_unseen(data_root: Path) -> None:
    dataset = open_dataset(data_root / "sketchy")
    unseen = select_classes(dataset, "unseen")
    assert len(queries(dataset, unseen)) == 525
    assert len(gallery(dataset, unseen, "zse")) == len(gallery(dataset, unseen, "dedup")) == 525
    found = fine_grained(dataset, unseen)
    assert len(found.pairs) == 525
    assert {len(photos) for photos in found.galleries.values()} == {25}
    assert len({photo.path for _, photo in found.pairs}) == 96
