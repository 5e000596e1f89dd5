"""Every kind of damage a tree can have is reported with its count, and what is sound is read all the same."""

import contextlib
import json
import os
from pathlib import Path

import pytest

from sketchseek.datasets import DatasetError, Kind, known_datasets, open_dataset, select_classes
from sketchseek.datasets.items import EXAMPLES, MEANING, Problem, ProblemLog
from tests.datasets.trees import SAKE_MORE, SAKE_PHOTO, SAKE_SKETCH, plant, sake, simple, write


def kinds(root: Path, as_name: str | None = None) -> dict[Kind, int]:
    return {problem.kind: problem.count for problem in open_dataset(root, as_name).problems}


def examples(root: Path, kind: Kind) -> tuple[str, ...]:
    return next(problem.examples for problem in open_dataset(root).problems if problem.kind == kind)


def test_a_sound_tree_has_no_problem(tmp_path: Path) -> None:
    assert kinds(simple(tmp_path)) == {}


def test_junk_is_counted_and_nothing_of_it_read(tmp_path: Path) -> None:
    simple(tmp_path)
    plant(tmp_path, "photo/cat/._cat_1.jpg", "photo/cat/.hidden.jpg", "sketch/@eaDir/x.png", "photo/cat/@eaDir/x.jpg")
    plant(tmp_path, "sketch/.ipynb_checkpoints/x.png", "photo/cat/.ipynb_checkpoints/cat_1.jpg")
    write(tmp_path, "photo/cat/Thumbs.db", "x")
    write(tmp_path, "photo/.DS_Store", "x")
    assert kinds(tmp_path) == {Kind.JUNK: 8}
    assert len(open_dataset(tmp_path).photos) == 4


def test_files_that_are_no_pictures_or_in_the_wrong_place(tmp_path: Path) -> None:
    simple(tmp_path)
    write(tmp_path, "sketch/cat/filelist.txt", "x")
    write(tmp_path, "photo/cat/notes", "x")
    write(tmp_path, "photo/cat/drawing.svg", "<svg/>")  # a sketch may be one, a photo may not
    write(tmp_path, "sketch/cat/drawing.svg", "<svg/>")
    plant(tmp_path, "photo/lonely.jpg", "sketch/cat/more/deep.png")
    plant(tmp_path, "other/cat/x.jpg")
    assert kinds(tmp_path) == {
        Kind.NOT_A_PICTURE: 3,
        Kind.STRAY_FILE: 1,
        Kind.NESTED_FOLDER: 1,
        Kind.UNREAD_FOLDER: 1,
        Kind.ORPHAN: 1,
    }
    assert examples(tmp_path, Kind.NOT_A_PICTURE) == (
        "photo/cat/drawing.svg",
        "photo/cat/notes",
        "sketch/cat/filelist.txt",
    )


def test_other_versions_of_sketchy_beside_the_one_that_is_read(tmp_path: Path) -> None:
    simple(tmp_path, "cat", sketch="sketch/tx_000000000000", photo="photo/tx_000000000000")
    plant(tmp_path, "photo/tx_000100000000/cat/a.jpg")
    assert kinds(tmp_path, "custom") == {Kind.UNREAD_FOLDER: 1}
    assert examples(tmp_path, Kind.UNREAD_FOLDER) == ("photo/tx_000100000000",)


def test_empty_and_unreadable_files(tmp_path: Path) -> None:
    simple(tmp_path)
    write(tmp_path, "photo/cat/empty.jpg", "")
    write(tmp_path, "sketch/cat/empty.png", "")
    (tmp_path / "photo/cat/loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "photo/cat/gone.jpg").symlink_to("nowhere.jpg")
    assert kinds(tmp_path) == {Kind.EMPTY_FILE: 2, Kind.UNREADABLE: 2}
    assert len(open_dataset(tmp_path).photos) == 4


def test_links_to_folders_above_end(tmp_path: Path) -> None:
    simple(tmp_path)
    (tmp_path / "photo/cat/up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "photo/up").symlink_to(tmp_path / "photo", target_is_directory=True)
    (tmp_path / "photo/self").symlink_to("self")
    # cat/up is one nested folder; in the class "up", which is photo/ itself, are three, and the link to itself again
    assert kinds(tmp_path) == {
        Kind.NESTED_FOLDER: 4,
        Kind.STRAY_FILE: 1,
        Kind.NOT_A_PICTURE: 1,
        Kind.NO_SKETCHES: 1,
        Kind.NO_PHOTOS: 1,
    }
    assert len(open_dataset(tmp_path).photos) == 4


def test_links_to_pictures_and_class_folders_are_followed(tmp_path: Path) -> None:
    store = simple(tmp_path / "store")
    root = tmp_path / "set"
    root.mkdir()
    (root / "sketch").symlink_to(store / "sketch", target_is_directory=True)
    (root / "photo").mkdir()
    (root / "photo/cat").symlink_to(store / "photo/cat", target_is_directory=True)
    plant(root, "photo/hot-air_balloon/own.jpg")
    (root / "photo/hot-air_balloon/link.jpg").symlink_to(store / "photo/hot-air_balloon/hot-air_balloon_1.jpg")
    dataset = open_dataset(root)
    assert (len(dataset.photos), len(dataset.sketches)) == (4, 4)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    simple(tmp_path)
    (tmp_path / "photo/cat").chmod(0)
    try:
        assert kinds(tmp_path) == {Kind.UNREADABLE: 1, Kind.NO_PHOTOS: 1, Kind.ORPHAN: 2}
    finally:
        (tmp_path / "photo/cat").chmod(0o700)


def test_a_folder_that_vanishes_or_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simple(tmp_path)
    real = os.scandir

    def refusing(path: str | Path) -> object:
        if Path(path).as_posix().endswith("photo/cat"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert kinds(tmp_path) == {Kind.UNREADABLE: 1, Kind.NO_PHOTOS: 1, Kind.ORPHAN: 2}


def test_classes(tmp_path: Path) -> None:
    simple(tmp_path, "cat", "car_(sedan)")
    plant(tmp_path, "photo/car sedan/more.jpg")  # the same class under another name
    plant(tmp_path, "photo/only photos/a.jpg", "sketch/only sketches/a.png")
    for empty in ("photo/empty", "sketch/empty", "photo/---"):
        (tmp_path / empty).mkdir()
    assert kinds(tmp_path) == {
        Kind.MERGED_CLASS: 1,
        Kind.NAMELESS_CLASS: 1,
        Kind.NO_SKETCHES: 2,
        Kind.NO_PHOTOS: 2,
        Kind.ORPHAN: 1,
    }
    dataset = open_dataset(tmp_path)
    assert list(dataset.classes) == ["carsedan", "cat", "onlyphotos", "onlysketches"]
    assert sum(photo.label == "carsedan" for photo in dataset.photos) == 3


def test_classes_that_the_published_dataset_lacks_and_has(tmp_path: Path) -> None:
    simple(tmp_path, "cat", "unicorn")
    assert kinds(tmp_path, "sketchy") == {Kind.UNKNOWN_CLASS: 1, Kind.MISSING_CLASS: 124}
    assert list(open_dataset(tmp_path, "sketchy").classes) == ["cat", "unicorn"]


def test_two_files_of_one_photo(tmp_path: Path) -> None:
    plant(simple(tmp_path), "photo/cat/cat_1.png")
    assert kinds(tmp_path) == {Kind.SAME_NAME: 1}


def test_a_photo_and_its_copy_in_the_extension_are_as_published(tmp_path: Path) -> None:
    assert kinds(sake(tmp_path), "custom") == {}


def test_lists_against_files(tmp_path: Path) -> None:
    root = sake(tmp_path)
    (root / SAKE_PHOTO / "bat/n1_7.jpg").unlink()
    plant(root, f"{SAKE_MORE}/bat/unlisted.jpg", f"{SAKE_SKETCH}/dog/whole-1.png")  # no list names the class dog
    write(root, f"{SAKE_MORE}/wine_bottle/n1_8.jpg", "")  # listed, but empty: reported once, as empty
    rows = (
        f"{SAKE_MORE}/bat/n1_7.jpg 0",
        f"{SAKE_MORE}/bat/n1_7.jpg 0",  # again
        f"{SAKE_MORE}/bat/n1_8.jpg 7",  # there is no class 7
        f"{SAKE_MORE}/bat/lost.jpg 0",
        f"{SAKE_MORE}/bat/../../../secret.jpg 0",
        "",
        "/etc/passwd 0",
        "elsewhere/bat/x.jpg 0",
        f"{SAKE_MORE}/bat/n1_8.jpg",
        "",
        "   ",
    )
    write(root, "zeroshot0/all_photo_filelist_zero.txt", "\n".join(rows))
    assert kinds(root, "custom") == {
        Kind.EMPTY_FILE: 1,
        Kind.NO_PHOTOS: 1,
        Kind.ORPHAN: 1,
        Kind.LIST_BAD_ROW: 4,
        Kind.LIST_MISSING_FILE: 1,
        Kind.LIST_DUPLICATE: 1,
        Kind.LIST_CLASS: 1,
        Kind.UNLISTED: 1,
    }
    assert examples(root, Kind.LIST_BAD_ROW) == tuple(
        f"zeroshot0/all_photo_filelist_zero.txt:{line}" for line in (5, 7, 8, 9)
    )
    assert {p.path for p in open_dataset(root).photos if p.label == "bat"} == {
        f"{SAKE_MORE}/bat/n1_7.jpg",
        f"{SAKE_MORE}/bat/n1_8.jpg",
    }


def test_lists_of_several_splits_name_the_same_files(tmp_path: Path) -> None:
    root = sake(tmp_path)
    for file in sorted((root / "zeroshot0").iterdir()):
        write(root, f"zeroshot1/{file.name}", file.read_text())
    assert kinds(root, "custom") == {}
    assert len(open_dataset(root).photos) == 9


def test_lists_without_class_numbers(tmp_path: Path) -> None:
    root = sake(tmp_path)
    for file in (root / "zeroshot0").glob("cname_cid*"):
        file.unlink()
    assert kinds(root, "custom") == {}


def test_a_list_that_is_no_text(tmp_path: Path) -> None:
    (sake(tmp_path) / "zeroshot0/all_photo_filelist_zero.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match=r"all_photo_filelist_zero\.txt cannot be read as text"):
        open_dataset(tmp_path)


def test_own_splits(tmp_path: Path) -> None:
    simple(tmp_path, "cat", "hot-air_balloon", "cow", "dog")
    groups = {"train": ["Hot Air Balloon"], "val": ["cat"], "unseen": ["cow", "unicorn"]}
    write(tmp_path, "splits.json", json.dumps(groups))
    assert kinds(tmp_path) == {Kind.SPLIT_UNKNOWN_CLASS: 1, Kind.SPLIT_LEFT_OUT: 1}
    dataset = open_dataset(tmp_path)
    assert dataset.groups == {"train": ("hotairballoon",), "val": ("cat",), "unseen": ("cow",)}
    assert select_classes(dataset, "unseen") == ("cow",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "must be an object with no keys except train, val, unseen"),
        ('{"train": [], "test": []}', "must be an object with no keys"),
        ('{"train": "cat"}', "'train' in .* must be a list of class names"),
        ('{"train": [1]}', "'train' in .* must be a list of class names"),
        ('{"train": ["cat"], "unseen": ["Cat"]}', "has 'Cat' in two groups"),
    ],
)
def test_own_splits_that_make_no_sense(tmp_path: Path, text: str, said: str) -> None:
    write(simple(tmp_path), "splits.json", text)
    with pytest.raises(DatasetError, match=said):
        open_dataset(tmp_path)


def test_problems_do_not_depend_on_the_order_they_were_met_in() -> None:
    names = [f"{number:02}" for number in range(20)]
    forth, back = ProblemLog(), ProblemLog()
    forth.extend(Kind.JUNK, names)
    forth.add(Kind.BROKEN, "x")
    back.add(Kind.BROKEN, "x")
    back.extend(Kind.JUNK, reversed(names))
    assert forth.problems() == back.problems()
    assert forth.problems()[0] == Problem(Kind.JUNK, 20, tuple(names[:EXAMPLES]))
    assert str(forth.problems()[0]) == "hidden and system files, skipped (20): 00, 01, 02, 03, 04, ..."
    assert set(MEANING) == set(Kind)


@pytest.mark.data
def test_real_sketchy(data_root: Path) -> None:
    dataset = open_dataset(data_root / "sketchy")
    assert (dataset.name, dataset.layout) == ("sketchy", "simple")
    assert len(dataset.classes) == 121
    for items in (dataset.photos, dataset.sketches):
        assert {sum(item.label == label for item in items) for label in dataset.classes} == {25}
    assert {group: len(select_classes(dataset, group)) for group in ("train", "val", "unseen", "seen", "all")} == {
        "train": 88, "val": 12, "unseen": 21, "seen": 100, "all": 121,
    }  # fmt: skip
    assert [(p.kind, p.examples) for p in dataset.problems] == [
        (Kind.MISSING_CLASS, ("dog", "elephant", "guitar", "horse"))
    ]
    assert all(drawing.instance and drawing.drawer for drawing in dataset.sketches)
    published = known_datasets()["sketchy"].spelling()
    assert dataset.classes.keys() < published.keys()


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "classes", "photos", "sketches"), [("shoes", 1, 200, 600), ("contours", 1, 300, 1633)]
)
def test_real_flat_folders(data_root: Path, name: str, classes: int, photos: int, sketches: int) -> None:
    dataset = open_dataset(data_root / name)
    assert (len(dataset.classes), len(dataset.photos), len(dataset.sketches)) == (classes, photos, sketches)
    assert all(drawing.instance for drawing in dataset.sketches)
    assert dataset.problems == ()


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"train": ' * 100_000, '{"train": [1e999]}', "{'train'}", "\udcff", "9" * 5000, "NaN", ""]
)
def test_splits_of_strangers_are_one_sentence(text: str, tmp_path: Path) -> None:
    simple(tmp_path)
    (tmp_path / "splits.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DatasetError, match=r"splits\.json (cannot be read as JSON|must be an object)"):
        open_dataset(tmp_path)


def test_splits_of_any_size_are_not_read(tmp_path: Path) -> None:
    simple(tmp_path)
    with (tmp_path / "splits.json").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(DatasetError, match="larger than 16 MB"):
        open_dataset(tmp_path)


def test_a_list_with_numbers_of_any_length_is_read(tmp_path: Path) -> None:
    sake(tmp_path)
    folder = tmp_path / "zeroshot1"
    folder.mkdir(exist_ok=True)
    (folder / "cname_cid.txt").write_text(f"bat {'9' * 5000}\nbat 0\n")
    (folder / "sketch.txt").write_text(f"{SAKE_SKETCH}/bat/b-1.png {'9' * 5000}\n")
    assert Kind.LIST_BAD_ROW in {problem.kind for problem in open_dataset(tmp_path).problems}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sketch,photo,photo\n",
        "sketch,photo\n\0,\0\n",
        f"sketch,photo\n{'x' * 200_000},y\n",
        'sketch,photo\n"',
        "\r\r\r",
    ],
)
def test_pairs_of_strangers_are_read_or_one_sentence(text: str, tmp_path: Path) -> None:
    simple(tmp_path)
    (tmp_path / "pairs.csv").write_text(text, newline="")
    with contextlib.suppress(DatasetError):
        open_dataset(tmp_path)
