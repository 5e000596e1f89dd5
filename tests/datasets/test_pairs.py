from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.datasets import DatasetError, Kind, open_dataset
from sketchseek.datasets.pairs import drawn_instance, instance_of
from tests.datasets.trees import plant, simple, write

STEM = st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda stem: stem.strip(".") == stem
)


@given(STEM, st.text("0123456789abc", min_size=1, max_size=3))
def test_a_sketch_of_a_photo_finds_it_whatever_signs_its_name_has(stem: str, number: str) -> None:
    assert drawn_instance("cat", f"sketch/cat/{stem}-{number}.png") == instance_of("cat", f"photo/cat/{stem}.jpg")


def test_names_are_cut_at_the_last_hyphen() -> None:
    assert drawn_instance("cat", "sketch/cat/n02691156_58-1.png") == "cat/n02691156_58"
    assert drawn_instance("cat", "sketch/cat/jack-o-lantern-1-2.png") == "cat/jack-o-lantern-1"
    assert drawn_instance("cat", "sketch/cat/plain.png") is None
    assert drawn_instance("cat", "sketch/cat/-1.png") is None
    assert instance_of("cat", "photo/cat/a-b-1.jpg") == "cat/a-b-1"


def kinds(root: Path) -> dict[Kind, int]:
    return {problem.kind: problem.count for problem in open_dataset(root).problems}


def instances(root: Path) -> dict[str, str | None]:
    return {drawing.path: drawing.instance for drawing in open_dataset(root).sketches}


def test_by_name_only_where_the_photo_is_there(tmp_path: Path) -> None:
    plant(simple(tmp_path, "cat"), "sketch/cat/gone-1.png", "photo/dog/gone.jpg", "sketch/dog/x.png")
    assert instances(tmp_path) == {
        "sketch/cat/cat_1-1.png": "cat/cat_1",
        "sketch/cat/cat_1-2.png": "cat/cat_1",
        "sketch/cat/gone-1.png": None,  # a photo of that name is only in another class
        "sketch/dog/x.png": None,
    }
    assert kinds(tmp_path) == {Kind.ORPHAN: 2}


def test_a_dataset_without_any_pair_has_no_orphans(tmp_path: Path) -> None:
    plant(tmp_path, "sketch/t-shirt/a-1.png", "photo/t-shirt/b.jpg")
    assert kinds(tmp_path) == {}


def test_a_table_overrides_names_and_brings_remarks(tmp_path: Path) -> None:
    simple(tmp_path, "cat")
    write(
        tmp_path,
        "pairs.csv",
        "\ufeffphoto,sketch,class,drawer,flag,split\r\n"
        'photo/cat/cat_2.jpg,sketch/cat/cat_1-1.png,cat,7,"Context, pose",val\r\n',
    )
    dataset = open_dataset(tmp_path)
    first, second = dataset.sketches
    assert (first.instance, first.drawer, first.flag, first.split) == ("cat/cat_2", "7", "Context, pose", "val")
    assert (second.instance, second.flag) == ("cat/cat_1", "")
    assert kinds(tmp_path) == {Kind.PAIR_UNLISTED: 1}


def test_damage_in_the_table_is_reported(tmp_path: Path) -> None:
    plant(simple(tmp_path, "cat", "dog"), "sketch/dog/own.png", "sketch/dog/far.png")
    rows = (
        "sketch,photo,class",
        "sketch/cat/cat_1-1.png,photo/cat/cat_1.jpg,cat",
        "sketch/cat/cat_1-1.png,photo/cat/cat_2.jpg,cat",  # again
        "sketch/cat/cat_1-2.png,photo/cat/lost.jpg,cat",
        "sketch/cat/lost-1.png,photo/cat/cat_1.jpg,cat",
        "../../etc/passwd,photo/cat/cat_1.jpg,cat",
        "sketch/dog/own.png,photo/dog/dog_2.jpg,horse",  # the folder says dog
        "sketch/dog/far.png,photo/cat/cat_1.jpg,dog",  # another class's photo
        "sketch/dog/dog_1-1.png,photo/dog/dog_1.jpg,dog,too,many,cells",
        "sketch/dog/dog_1-2.png,photo/dog/dog_1.jpg",
    )
    write(tmp_path, "pairs.csv", "\n".join(rows))
    assert kinds(tmp_path) == {
        Kind.ORPHAN: 2,
        Kind.PAIR_DUPLICATE: 1,
        Kind.PAIR_MISSING_FILE: 3,
        Kind.PAIR_CLASS: 2,
    }
    assert instances(tmp_path) == {
        "sketch/cat/cat_1-1.png": "cat/cat_1",
        "sketch/cat/cat_1-2.png": None,
        "sketch/dog/dog_1-1.png": "dog/dog_1",
        "sketch/dog/dog_1-2.png": "dog/dog_1",
        "sketch/dog/far.png": None,
        "sketch/dog/own.png": "dog/dog_2",
    }


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (b"drawing,photo\n", "needs a first line with the columns sketch and photo"),
        (b"", "needs a first line with the columns sketch and photo"),
        (b"sketch,photo\n\xff\xfe,x\n", "cannot be read as a CSV table"),
        (b"sketch,photo\n" + b"x" * 200_000 + b",y\n", "cannot be read as a CSV table"),
    ],
)
def test_a_file_that_is_not_such_a_table_is_refused(tmp_path: Path, table: bytes, said: str) -> None:
    (simple(tmp_path) / "pairs.csv").write_bytes(table)
    with pytest.raises(DatasetError, match=said):
        open_dataset(tmp_path)
