"""Every picture that the lite backbone is trained or validated on, with its class, its photo and its part.

Unseen classes are never listed, validation classes only as ``val``: so ``shoes/`` is not listed at all.
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image

from sketchseek.pictures import Preprocessing, RasterSketch, Sketch, load_photo, load_sketch
from sketchseek.wording import class_in_words

MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3  # what EfficientNet-Lite was trained with
PHOTOS = Preprocessing(fit="squash", mean=MEAN, std=STD)
SKETCHES = Preprocessing(fit="pad", fill=(255, 255, 255), placement="ink", mean=MEAN, std=STD)

# Synonyms, and names that no English speaker would write.
_SAME = {
    "car sedan": "car", "motorbike": "motorcycle", "motorbikes": "motorcycle", "airplanes": "airplane",
    "faces easy": "face", "cellphone": "cell phone", "car side": "car", "crocodilian": "crocodile",
    "crocodile head": "crocodile", "cougar body": "cougar", "cougar face": "cougar", "headphone": "headphones",
    "binocular": "binoculars", "grand piano": "piano", "water lilly": "water lily", "watch": "wristwatch",
    "hermit crab": "hermit crab", "racket": "tennis racquet", "teddy-bear": "teddy bear", "ray": "stingray",
    "sea horse": "seahorse", "dollar bill": "dollar bill", "hotdog": "hot dog", "bass": "fish",
}  # fmt: skip


def plain_name(folder: str) -> str:
    """A data set's class name -> the words people use."""
    name = class_in_words(folder).lower().removeprefix("the ")
    return _SAME.get(name, name)


@dataclass(frozen=True)
class Item:
    """``kind``: photo, sketch, word (a row of words.npz) or line (drawn from the photo at ``source``).

    ``about``: the source of the photo a drawing shows, or its own for a photo; drawings without a photo have none.
    ``sort``: the data set, for balance in a batch. ``mask``: where the thing is in the photo, if that is known.
    """

    kind: str
    source: str
    name: str | None
    about: str | None
    sort: str
    part: str
    mask: str | None = None


def list_items(root: Path) -> list[Item]:
    """All items, in a fixed order."""
    items: list[Item] = []

    def add_photo(source: str, name: str | None, sort: str, part: str, mask: str | None = None) -> None:
        items.append(Item("photo", source, name, source, sort, part, mask))
        if part == "train":
            items.append(Item("line", source, name, source, f"{sort}-lines", part, mask))

    parts, masks = _parts(root / "sketchy"), _masks(root / "masks", "sketchy")
    for path in sorted((root / "sketchy/photo").glob("*/*.jpg")):
        if part := parts.get(path.parent.name):
            mask = masks.get(f"{path.parent.name}/{path.name}")
            add_photo(_relative(root, path), plain_name(path.parent.name), "sketchy", part, mask)
    for row in _rows(root / "sketchy/pairs.csv"):
        if part := parts.get(row["class"]):
            sketch, photo = f"sketchy/{row['sketch']}", f"sketchy/{row['photo']}"
            items.append(Item("sketch", sketch, plain_name(row["class"]), photo, "sketchy", part))

    parts = _parts(root / "quickdraw")
    held = {plain_name(name) for folder in ("sketchy", "quickdraw") for name in _held_out(root / folder)}
    held |= {"palm tree"}  # shows a tree, which is an unseen class
    for path in sorted((root / "quickdraw").glob("*/*/*")):
        part = parts.get(path.parent.name)
        if part == "train" and plain_name(path.parent.name) in held:
            continue
        if part and path.suffix == ".jpg":
            add_photo(_relative(root, path), plain_name(path.parent.name), "quickdraw", part)
        elif part:
            items.append(Item("sketch", _relative(root, path), plain_name(path.parent.name), None, "quickdraw", part))
    words = np.load(root / "quickdraw/words.npz")
    for number, label in enumerate(words["labels"]):
        if (name := plain_name(str(words["names"][label]))) not in held:
            items.append(Item("word", str(number), name, None, "words", "train"))

    rows = [row for row in _rows(root / "contours/pairs.csv") if row["split"] == "train"]
    for photo in sorted({row["photo"] for row in rows}):
        add_photo(f"contours/{photo}", None, "contours", "train")
    items += [
        Item("sketch", f"contours/{row['sketch']}", None, f"contours/{row['photo']}", "contours", "train")
        for row in rows
    ]
    masks = _masks(root / "masks", "photos")
    for path in sorted((root / "photos").glob("*/*")):
        name = plain_name(path.parent.name)
        if path.is_file() and name not in held:
            add_photo(_relative(root, path), name, "photos", "train", masks.get(f"{path.parent.name}/{path.name}"))
    for folder in ("products", "mixed"):
        for row in _rows(root / folder / "photos.csv"):
            name = plain_name(row["class"])
            if not row["val_overlap"] and name not in held and not tested(row["photo"]):
                mask = f"{folder}/{row['mask']}" if row.get("mask_ok", "1") == "1" and row["mask"] else None
                add_photo(f"{folder}/{row['photo']}", name, folder, "train", mask)
    return items


def tested(photo: str) -> bool:
    """Whether a photo of ``products/`` or ``mixed/`` is kept for the test of words: one in four."""
    return crc32(photo.encode()) % 4 == 0


def _masks(folder: Path, data: str) -> dict[str, str]:
    """A photo of ``data``, as class and file -> its mask, where that can be trusted."""
    return {
        row["photo"]: f"{folder.name}/{data}/{row['photo'].rpartition('.')[0]}.png"
        for row in _rows(folder / f"{data}.csv")
        if row["ok"] == "1"
    }


class Opener:
    """Opens the picture of an item, as ``pictures`` opens it for search."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.words = np.load(root / "quickdraw/words.npz")["drawings"]

    def __call__(self, item: Item) -> "np.ndarray | Sketch":
        if item.kind == "word":
            drawing = Image.fromarray(self.words[int(item.source)]).convert("RGB")
            return RasterSketch(np.asarray(drawing, dtype=np.uint8))
        path = self.root / item.source
        return load_sketch(path) if item.kind == "sketch" else load_photo(path)


def _relative(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _splits(folder: Path) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = json.loads((folder / "splits.json").read_text(encoding="utf-8"))
    return splits


def _parts(folder: Path) -> dict[str, str]:
    return {name: part for part in ("train", "val") for name in _splits(folder)[part]}


def _held_out(folder: Path) -> list[str]:
    return [name for part, names in _splits(folder).items() if part != "train" for name in names]
