from pathlib import Path

import pytest

from sketchseek.datasets import Kind, check_dataset, known_datasets, open_dataset
from sketchseek.datasets.check import Count, Depth
from tests.datasets.trees import picture, plant, sake, simple, write


def broken(root: Path, depth: Depth) -> tuple[str, ...]:
    found = check_dataset(open_dataset(root), depth)
    return tuple(text for problem in found.problems if problem.kind == Kind.BROKEN for text in problem.examples)


def test_each_depth_finds_what_it_can(tmp_path: Path) -> None:
    simple(tmp_path)
    write(tmp_path, "photo/cat/text.jpg", "not a picture at all")
    write(tmp_path, "photo/cat/vector.png", "<svg xmlns='http://www.w3.org/2000/svg'/>")  # no photo, by any name
    (tmp_path / "sketch/cat/half.png").write_bytes(picture(".png")[:60])
    assert broken(tmp_path, "names") == ()
    beginnings = broken(tmp_path, "beginnings")
    assert [text.partition(" ")[0] for text in beginnings] == ["photo/cat/text.jpg", "photo/cat/vector.png"]
    wholly = broken(tmp_path, "pictures")
    assert [text.partition(" ")[0] for text in wholly] == [
        "photo/cat/text.jpg",
        "photo/cat/vector.png",
        "sketch/cat/half.png",
    ]


def test_every_file_is_opened_and_reported(tmp_path: Path) -> None:
    calls = []
    check_dataset(open_dataset(simple(tmp_path)), "beginnings", lambda: calls.append(1))
    assert len(calls) == 8
    check_dataset(open_dataset(tmp_path), "names", lambda: calls.append(1))
    assert len(calls) == 8


def test_a_file_that_vanishes_after_it_was_listed_is_broken(tmp_path: Path) -> None:
    dataset = open_dataset(simple(tmp_path))
    (tmp_path / "photo/cat/cat_1.jpg").unlink()
    problem = check_dataset(dataset, "beginnings").problems[0]
    assert (problem.kind, problem.count) == (Kind.BROKEN, 1)
    assert "no such file" in problem.examples[0]


@pytest.mark.parametrize("side", ["photo", "sketch"])
def test_usable_means_that_something_opens_on_both_sides(tmp_path: Path, side: str) -> None:
    simple(tmp_path)
    files = sorted((tmp_path / side).rglob("*.*"))
    for file in files[1:]:
        file.write_text("broken")
    assert check_dataset(open_dataset(tmp_path)).usable
    files[0].write_text("broken")
    found = check_dataset(open_dataset(tmp_path))
    assert not found.usable
    assert found.problems[0].count == 4


def test_counts_beside_the_published_ones(tmp_path: Path) -> None:
    found = check_dataset(open_dataset(sake(tmp_path)))
    counts = {(count.classes, count.what): count for count in found.counts}
    assert counts["all", "classes"] == Count("all", "classes", 3, (125,))
    assert counts["all", "photos"] == Count("all", "photos", 9, (85502,))
    assert counts["all", "distinct_photos"] == Count("all", "distinct_photos", 6, (73002,))
    assert counts["all", "basic_photos"] == Count("all", "basic_photos", 3, (12500,))
    assert counts["sketchy-21:unseen", "sketches"] == Count("sketchy-21:unseen", "sketches", 2, (12694,))
    assert counts["sketchy-21:seen", "sketches"] == Count("sketchy-21:seen", "sketches", 4, (57587, 62787))
    assert counts["sketchy-25:unseen", "photos"].here == 3  # wine_bottle is unseen there
    assert counts["all", "photos"].agrees is False
    assert len(found.missing) == 122
    assert "bat" not in found.missing
    assert "wine_bottle" not in found.missing


def test_a_count_agrees_with_any_published_value() -> None:
    assert Count("all", "photos", 2, (1, 2)).agrees is True
    assert Count("all", "photos", 3, (1, 2)).agrees is False
    assert Count("all", "photos", 3).agrees is None


def test_a_complete_class_list_is_as_published(tmp_path: Path) -> None:
    simple(tmp_path, *known_datasets()["quickdraw"].classes, sketch="sketches", photo="images")
    found = check_dataset(open_dataset(tmp_path), "names")
    assert found.missing == ()
    agrees = {(count.classes, count.what): count.agrees for count in found.counts}
    assert agrees["all", "classes"] is True
    assert agrees["quickdraw-30:unseen", "classes"] is True
    assert agrees["quickdraw-30:unseen", "sketches"] is False


def test_a_custom_folder_is_compared_with_nothing(tmp_path: Path) -> None:
    simple(tmp_path, "cat", "cow")
    write(tmp_path, "splits.json", '{"train": ["cat"], "unseen": ["cow"]}')
    found = check_dataset(open_dataset(tmp_path))
    assert [(count.classes, count.what, count.here, count.published) for count in found.counts] == [
        (group, what, here, ())
        for group, classes in (("all", 2), ("train", 1), ("unseen", 1))
        for what, here in (("classes", classes), ("sketches", 2 * classes), ("photos", 2 * classes))
    ]
    assert (found.missing, found.problems) == ((), ())


@pytest.mark.data
def test_every_real_picture_opens(data_root: Path) -> None:
    for name in ("sketchy", "shoes"):
        found = check_dataset(open_dataset(data_root / name), "pictures")
        assert [problem for problem in found.problems if problem.kind == Kind.BROKEN] == []
        assert found.usable


def test_damage_does_not_depend_on_the_order_of_threads(tmp_path: Path) -> None:
    plant(simple(tmp_path), *(f"photo/cat/{number:02}.jpg" for number in range(40)))
    for number in range(40):
        (tmp_path / f"photo/cat/{number:02}.jpg").write_text("broken")
    assert len({broken(tmp_path, "beginnings") for _ in range(5)}) == 1
