from pathlib import Path

import pytest

from sketchseek.datasets import DatasetError, canonical, known_datasets, open_dataset
from tests.datasets.trees import plant, sake, simple, write


def counts(root: Path, as_name: str | None = None) -> tuple[str, str, int, int, int]:
    """Name, layout, classes, photos, sketches; the tree must be without fault."""
    dataset = open_dataset(root, as_name)
    assert [p for p in dataset.problems if p.kind != "missing-class"] == []
    return dataset.name, dataset.layout, len(dataset.classes), len(dataset.photos), len(dataset.sketches)


def test_simple(tmp_path: Path) -> None:
    assert counts(simple(tmp_path)) == ("custom", "simple", 2, 4, 4)


@pytest.mark.parametrize(
    ("sketch", "photo"), [("sketches", "images"), ("sketches", "photos"), ("Sketch", "PHOTO"), ("Sketches", "Images")]
)
def test_simple_under_other_names(tmp_path: Path, sketch: str, photo: str) -> None:
    assert counts(simple(tmp_path, sketch=sketch, photo=photo)) == ("custom", "simple", 2, 4, 4)


def test_simple_with_an_extension(tmp_path: Path) -> None:
    plant(simple(tmp_path), "extended_photo/cat/cat_1.jpg", "extended_photo/cat/cat_9.jpg")
    assert counts(tmp_path) == ("custom", "simple", 2, 6, 4)
    assert sum(photo.extended for photo in open_dataset(tmp_path).photos) == 2


def test_sake_sketchy(tmp_path: Path) -> None:
    assert counts(sake(tmp_path)) == ("sketchy", "sake-sketchy", 3, 9, 6)
    dataset = open_dataset(tmp_path)
    assert sum(photo.extended for photo in dataset.photos) == 6
    assert {drawing.instance for drawing in dataset.sketches} == {"bat/n1_7", "carsedan/n1_7", "winebottle/n1_7"}


def test_sake_tuberlin_with_lists_split_at_the_last_space(tmp_path: Path) -> None:
    plant(tmp_path, "png_ready/hot air balloon/8201.png", "png_ready/t-shirt/16001.png")
    plant(tmp_path, "ImageResized_ready/hot air balloon/n1 2.JPEG", "ImageResized_ready/t-shirt/n3.JPEG")
    write(
        tmp_path,
        "zeroshot/png_ready_filelist_zero.txt",
        "png_ready/hot air balloon/8201.png 0\npng_ready/t-shirt/16001.png 1",
    )
    write(
        tmp_path,
        "zeroshot/ImageResized_ready_filelist_zero.txt",
        "ImageResized_ready/hot air balloon/n1 2.JPEG 0\r\nImageResized_ready/t-shirt/n3.JPEG 1\r\n",
    )
    write(tmp_path, "zeroshot/cname_cid_zero.txt", "hot air balloon 0\nt-shirt 1\n")
    assert counts(tmp_path) == ("tuberlin", "sake-tuberlin", 2, 2, 2)
    assert list(open_dataset(tmp_path).classes.items()) == [("hotairballoon", "hot air balloon"), ("tshirt", "t shirt")]


def test_zse_quickdraw_whose_lists_name_the_unseen_classes_only(tmp_path: Path) -> None:
    plant(tmp_path, "sketches/cake/1.png", "sketches/cake/2.png", "sketches/bus/3.png")
    plant(tmp_path, "images/cake/494. 462.jpeg", "images/bus/image_00001.jpg")
    write(tmp_path, "zeroshot/sketch_zero.txt", "sketches/cake/1.png 0\nsketches/cake/2.png 0\n")
    write(tmp_path, "zeroshot/all_photo_zero.txt", "images/cake/494. 462.jpeg 0\n")
    write(tmp_path, "zeroshot/cname_cid_zero.txt", "cake 0\n")
    assert counts(tmp_path, "quickdraw") == ("quickdraw", "simple", 2, 2, 3)


def test_sem_pcyc_sketchy(tmp_path: Path) -> None:
    base = simple(tmp_path, "car_(sedan)", sketch="sketch/tx_000000000000", photo="photo/tx_000000000000")
    plant(base, "extended_photo/car_(sedan)/car_(sedan)_1.jpg", "extended_photo/car_(sedan)/n9.jpg")
    assert counts(tmp_path) == ("sketchy", "sem-pcyc", 1, 4, 2)


def test_sketchy_as_it_is_downloaded(tmp_path: Path) -> None:
    simple(tmp_path, "cat", sketch="256x256/sketch/tx_000000000000", photo="256x256/photo/tx_000000000000")
    assert counts(tmp_path) == ("sketchy", "sketchy", 1, 2, 2)


def test_extension_alone_is_enough_for_a_tree_that_is_sketchy(tmp_path: Path) -> None:
    plant(tmp_path, "sketch/tx_000000000000/cat/a-1.png", "extended_photo/cat/a.jpg", "extended_photo/cat/b.jpg")
    assert counts(tmp_path) == ("sketchy", "sem-pcyc", 1, 2, 1)


def test_photo_basic(tmp_path: Path) -> None:
    plant(
        simple(tmp_path, "car_sedan", photo="photo_basic"), "photo/car_sedan/car_sedan_1.jpg", "photo/car_sedan/n5.jpg"
    )
    assert counts(tmp_path) == ("custom", "photo-basic", 1, 4, 2)
    assert {p.path for p in open_dataset(tmp_path).photos if not p.extended} == {
        "photo_basic/car_sedan/car_sedan_1.jpg",
        "photo_basic/car_sedan/car_sedan_2.jpg",
    }


def test_train_and_val_folders(tmp_path: Path) -> None:
    simple(tmp_path, "cat", "dog", sketch="train/sketch", photo="train/photo")
    simple(tmp_path, "bat", sketch="val/sketch", photo="val/photo")
    assert counts(tmp_path) == ("custom", "train-val", 3, 6, 6)
    assert open_dataset(tmp_path).groups == {"train": ("cat", "dog"), "unseen": ("bat",)}


def test_train_and_val_folders_with_a_class_in_both_are_no_split_of_classes(tmp_path: Path) -> None:
    simple(tmp_path, "cat", "dog", sketch="train/sketch", photo="train/photo")
    simple(tmp_path, "dog", sketch="val/sketch", photo="val/photo")
    dataset = open_dataset(tmp_path)
    assert dataset.groups == {}
    assert len(dataset.photos) == 6


def test_flat(tmp_path: Path) -> None:
    root = plant(tmp_path / "my-shoes", "photo/001.jpg", "photo/002.jpg", "sketch/001-1.png", "sketch/001-2.png")
    assert counts(root) == ("custom", "flat", 1, 2, 2)
    dataset = open_dataset(root)
    assert dataset.classes == {"myshoes": "my shoes"}
    assert {drawing.instance for drawing in dataset.sketches} == {"myshoes/001"}


def test_suffixes_in_any_case_and_names_with_any_sign(tmp_path: Path) -> None:
    plant(tmp_path, "photo/tütü (grün)/a b-c(1).JPG", "photo/tütü (grün)/猫.JpEg", "sketch/tütü_grün/a b-c(1)-12.PNG")
    assert counts(tmp_path) == ("custom", "simple", 1, 2, 1)
    dataset = open_dataset(tmp_path)
    assert dataset.classes == {"tütügrün": "tütü grün"}
    assert dataset.sketches[0].instance == "tütügrün/a b-c(1)"
    assert all(dataset.file(photo).is_file() for photo in dataset.photos)
    assert all(dataset.file(sketch).is_file() for sketch in dataset.sketches)


@pytest.mark.parametrize(
    ("name", "sketch", "photo"),
    [("tuberlin", "sketches", "images"), ("quickdraw", "sketches", "images"), ("sketchy", "sketch", "photo")],
)
def test_a_published_dataset_is_known_by_its_classes(tmp_path: Path, name: str, sketch: str, photo: str) -> None:
    # Spelled as elsewhere, and a few missing: as people have them.
    classes = [c.replace("(", "").replace(")", "").replace(" ", "_") for c in known_datasets()[name].classes[5:]]
    simple(tmp_path, *classes, sketch=sketch, photo=photo)
    dataset = open_dataset(tmp_path)
    assert dataset.name == name
    assert [(p.kind, p.count) for p in dataset.problems] == [("missing-class", 5)]
    for published in known_datasets()[name].classes[5:]:
        key = canonical(published)
        assert dataset.classes[key] == " ".join(
            published.replace("_", " ").replace("-", " ").replace("(", "").replace(")", "").split()
        )


def test_few_classes_of_a_published_dataset_are_not_taken_for_it(tmp_path: Path) -> None:
    simple(tmp_path, "cat", "dog", "cow")
    assert open_dataset(tmp_path).name == "custom"
    assert open_dataset(tmp_path, "sketchy").name == "sketchy"


def test_custom_keeps_a_dataset_from_being_compared(tmp_path: Path) -> None:
    assert open_dataset(sake(tmp_path), "custom").name == "custom"
    assert open_dataset(tmp_path, "custom").problems == ()


def test_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no dataset called 'Sketchy2': choose sketchy, tuberlin, quickdraw, custom"):
        open_dataset(simple(tmp_path), "Sketchy2")


def test_a_folder_of_datasets_names_them(tmp_path: Path) -> None:
    simple(tmp_path / "a")
    sake(tmp_path / "Sketchy")
    (tmp_path / "other").mkdir()
    with pytest.raises(DatasetError, match=r"not a dataset but contains some: name .*Sketchy or .*a$"):
        open_dataset(tmp_path)


def test_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"has no known layout: .* its folders are \(none\)"):
        open_dataset(tmp_path)
    (tmp_path / "photo").mkdir()
    (tmp_path / "drawings").mkdir()
    with pytest.raises(DatasetError, match="its folders are drawings, photo"):
        open_dataset(tmp_path)
    with pytest.raises(DatasetError, match="is not a folder"):
        open_dataset(tmp_path / "gone")
    file = write(tmp_path, "file.txt", "x")
    with pytest.raises(DatasetError, match="is not a folder"):
        open_dataset(file)


def test_nothing_inside(tmp_path: Path) -> None:
    (tmp_path / "sketch" / "cat").mkdir(parents=True)
    plant(tmp_path, "photo/cat/a.jpg")
    with pytest.raises(DatasetError, match="read as simple and has no sketch in it"):
        open_dataset(tmp_path)
    plant(tmp_path, "sketch/cat/a-1.png")
    (tmp_path / "photo/cat/a.jpg").unlink()
    with pytest.raises(DatasetError, match="has no photo in it"):
        open_dataset(tmp_path)


def test_order_is_the_names_order_and_the_root_may_be_text(tmp_path: Path) -> None:
    plant(simple(tmp_path), "photo/cat/Z.jpg", "photo/cat/a.jpg", "sketch/cat/Z-1.png", "sketch/cat/10-1.png")
    dataset = open_dataset(str(tmp_path))
    for items in (dataset.photos, dataset.sketches):
        assert [item.path for item in items] == sorted(item.path for item in items)
    assert list(dataset.classes) == sorted(dataset.classes)
    assert dataset == open_dataset(tmp_path)
