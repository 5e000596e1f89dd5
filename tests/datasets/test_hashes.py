import hashlib
from pathlib import Path

import pytest

from sketchseek.datasets import DatasetError, files_hash, names_hash, open_dataset
from tests.datasets.trees import simple


def slow(root: Path, classes: set[str], *, files: bool) -> str:
    """From the folders, without the reader."""
    lines = []
    for path in sorted(root.glob("*/*/*.*")):
        kind, label = path.parts[-3:-1]
        if label in classes:
            digest = f" {hashlib.sha256(path.read_bytes()).hexdigest()}" if files else ""
            lines.append(f"{kind}/{label}/{path.name}{digest}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def test_hashes_are_of_the_sorted_lines(tmp_path: Path) -> None:
    dataset = open_dataset(simple(tmp_path, "cat", "cow"))
    for classes in ({"cat"}, {"cat", "cow"}):
        assert names_hash(dataset, classes) == slow(tmp_path, classes, files=False)
        assert files_hash(dataset, classes) == slow(tmp_path, classes, files=True)


def test_hashes_do_not_depend_on_the_folders(tmp_path: Path) -> None:
    one = open_dataset(simple(tmp_path / "one", "cat", "cow"))
    two = open_dataset(simple(tmp_path / "two", "cat", "cow", sketch="sketches", photo="images"))
    assert one.sketches[0].path != two.sketches[0].path
    assert names_hash(one, one.classes) == names_hash(two, two.classes)
    assert files_hash(one, one.classes) == files_hash(two, two.classes)


def test_each_change_is_told_apart(tmp_path: Path) -> None:
    root = simple(tmp_path, "cat", "cow")
    dataset = open_dataset(root)
    names, files = names_hash(dataset, ["cat"]), files_hash(dataset, ["cat"])
    photo = root / "photo/cat/cat_1.jpg"
    photo.write_bytes(photo.read_bytes() + b"\0")
    assert names_hash(open_dataset(root), ["cat"]) == names
    assert files_hash(open_dataset(root), ["cat"]) != files
    photo.rename(root / "photo/cat/cat_9.jpg")
    assert names_hash(open_dataset(root), ["cat"]) != names
    with pytest.raises(DatasetError, match=r"cat_1\.jpg cannot be read \(No such file or directory\)"):
        files_hash(dataset, ["cat"])
