"""Test words on photos that were not trained on under their names: ``python pretraining/words.py DATA MODEL``.

Prints, for each word, how many of the first photos are right: of the first ten, or of as many as there are. Things are
looked for among the validation photos of ``sketchy`` and ``quickdraw`` and the photos of ``mixed`` and ``products``
that training leaves out; scenes among the photos of ``contours``, labelled in ``scenes.toml``; colours with a thing
among those of ``products``.
"""

import csv
import json
import shutil
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from imagenet import class_synsets, synsets
from material import plain_name, tested

from sketchseek import Gallery, load_model
from sketchseek.model import Model
from sketchseek.pictures import load_photo

FIRST = 10
# Everyday words -> ranges of ImageNet's classes.
RANGES = {
    "dog": [(151, 268)], "cat": [(281, 285)], "bird": [(7, 24), (80, 100), (127, 146)], "snake": [(52, 68)],
    "spider": [(72, 77)], "butterfly": [(321, 326)], "monkey": [(369, 382)], "fish": [(0, 6), (389, 397)],
    "turtle": [(33, 37)], "frog": [(30, 32)], "crab": [(118, 121)], "bear": [(294, 297)], "wolf": [(269, 272)],
    "fox": [(277, 280)],
}  # fmt: skip
THINGS = [
    "airplane", "boat", "car", "truck", "train", "bus", "bicycle", "clock", "chair", "table", "mirror", "bowl", "vase",
    "basket", "lamp", "bench", "bed", "desk", "sofa", "shelf", "box", "cushion", "mug", "plate", "frame", "dress",
    "hat", "shirt", "pants", "skirt", "shorts", "bottle", "guitar", "camera",
]  # fmt: skip
# Words whose classes have other names.
PARTS = {
    "airplane": ["airliner", "warplane"],
    "boat": ["speedboat", "canoe", "gondola", "fireboat", "lifeboat", "catamaran"],
    "car": ["sports car", "convertible", "beach wagon", "cab", "limousine", "jeep", "racer", "minivan", "model t"],
    "truck": ["fire engine", "garbage truck", "pickup", "tow truck", "trailer truck", "moving van"],
    "train": ["bullet train", "steam locomotive", "electric locomotive", "passenger car", "freight car"],
    "bus": ["minibus", "school bus", "trolleybus"],
    "bicycle": ["bicycle-built-for-two", "mountain bike", "tricycle"],
    "bottle": ["beer bottle", "wine bottle", "water bottle", "pop bottle", "pill bottle"],
    "guitar": ["acoustic guitar", "electric guitar"], "camera": ["reflex camera", "polaroid camera"],
    "table": ["coffee table", "side table", "drop leaf table", "extendable table", "childrens table"],
    "chair": ["armchair", "swivel chair", "folding chair", "rocking chair", "junior chair", "childrens chair"],
    "lamp": ["pendant lamp", "table lamp", "floor lamp", "wall lamp", "work lamp", "ceiling lamp", "led work lamp"],
    "clock": ["wall clock", "analog clock", "alarm clock"], "bowl": ["serving bowl", "mixing bowl"],
    "sofa": ["two seat sofa", "three seat sofa", "3 seat sofa", "three seat sofa bed", "corner sofa"],
    "bed": ["bed frame", "day bed frame", "ext bed frame", "loft bed frame", "cot", "bunk bed frame", "extendable bed"],
    "shelf": ["wall shelf", "shelving unit", "shelf unit", "bookcase"], "box": ["storage box"],
    "hat": ["cowboy hat", "sombrero"], "basket": ["shopping basket"], "plate": ["deep plate", "side plate"],
    "shirt": ["t shirt", "longsleeve"], "pants": ["jean"], "bench": ["park bench", "storage bench"],
    "cushion": ["chair cushion"], "skirt": ["miniskirt", "overskirt", "hoopskirt"], "mirror": [], "vase": [],
    "desk": [], "mug": ["coffee mug"], "frame": [], "dress": [], "shorts": [],
}  # fmt: skip
COLOURS = {
    "white": ["white", "off-white", "high-gloss white"], "black": ["black"],
    "grey": ["grey", "dark grey", "light grey"],
    "brown": ["brown", "dark brown", "light brown", "brown-black", "black-brown"], "red": ["red", "dark red"],
    "blue": ["blue", "light blue", "dark blue", "medium blue"], "green": ["green", "light green", "dark green"],
    "yellow": ["yellow", "light yellow"], "pink": ["pink", "light pink"], "orange": ["orange"],
    "beige": ["beige", "light beige"], "turquoise": ["turquoise", "light turquoise"],
}  # fmt: skip
COLOURED = ("chair", "table", "lamp", "sofa", "clock", "box", "bed", "cushion", "vase", "bowl", "shelf", "basket")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def things(root: Path) -> tuple[list[Path], list[str]]:
    """The photos, and the name of each."""
    photos, names = [], []
    for data in ("sketchy", "quickdraw"):
        for name in json.loads((root / data / "splits.json").read_text(encoding="utf-8"))["val"]:
            found = sorted((root / data / "photo" / name).iterdir())[:25]
            photos += found
            names += [plain_name(name)] * len(found)
    for data in ("products", "mixed"):
        for row in rows(root / data / "photos.csv"):
            if tested(row["photo"]):
                photos.append(root / data / row["photo"])
                names.append(plain_name(row["class"]))
    return photos, names


def nouns(names: list[str]) -> dict[str, set[str]]:
    """Each noun of the test -> the names of photos that show it; those with at least three photos."""
    words, order = synsets(), class_synsets()
    found = {
        noun: {plain_name(word.lower()) for low, high in ranges for s in order[low : high + 1] for word in words[s]}
        for noun, ranges in RANGES.items()
    }
    found |= {noun: {noun, *PARTS.get(noun, [])} for noun in THINGS}
    for name in sorted(set(names)):
        if names.count(name) >= 20 and name not in found:  # validation classes
            found[name] = {name}
    return {noun: same for noun, same in found.items() if sum(name in same for name in names) >= 3}


def share(scores: np.ndarray, right: np.ndarray) -> float:
    """Of the first ten photos, or of as many as are right, how many are."""
    count = min(FIRST, int(right.sum()))
    return float(right[np.argsort(-scores, kind="stable")[:count]].mean())


def searched(model: Model, photos: list[Path], phrases: list[str]) -> dict[str, np.ndarray]:
    """For each phrase, minus the place of each photo among the hits of a search in all of them."""
    with TemporaryDirectory() as scratch:
        place = Path(scratch)
        for number, path in enumerate(photos):
            shutil.copy(path, place / f"{number}{path.suffix}")
        with Gallery.open(place / "gallery", model) as gallery:
            gallery.add(place)
            found = {phrase: gallery.search(text=phrase, k=len(photos)) for phrase in phrases}
    order = {}
    for phrase, hits in found.items():
        order[phrase] = np.full(len(photos), -len(photos))
        for rank, hit in enumerate(hits):
            for path in (hit.path, *hit.duplicates):
                order[phrase][int(Path(path).stem)] = -rank
    return order


def measured(model: Model, root: Path) -> dict[str, dict[str, float]]:
    """Each kind of words -> each word -> its share."""

    def encoded(paths: list[Path]) -> np.ndarray:
        return np.asarray(model.encode_photos([load_photo(path, target=model.photo_side) for path in paths]))

    def table(words: Mapping[str, np.ndarray], shown: np.ndarray) -> dict[str, float]:
        scores = np.asarray(model.encode_texts(list(words))) @ shown.T
        return {word: share(row, right) for row, (word, right) in zip(scores, words.items(), strict=True)}

    photos, names = things(root)
    shown = encoded(photos)
    of_noun = {noun: np.array([name in same for name in names]) for noun, same in nouns(names).items()}
    products = np.array([path.is_relative_to(root / "products") for path in photos])
    colour_of = {root / "products" / row["photo"]: row["colour"].lower() for row in rows(root / "products/photos.csv")}
    colours = np.array([colour_of.get(path, "").split(",")[0] for path in photos])
    coloured = {
        f"{colour} {noun}": right[products]
        for colour, same in COLOURS.items()
        for noun in COLOURED
        if noun in of_noun and (right := of_noun[noun] & np.isin(colours, same)).any()
    }
    in_colour = table(coloured, shown[products])
    kept = table({phrase: of_noun[phrase.split()[1]][products] for phrase in coloured}, shown[products])
    order = searched(model, [path for path, own in zip(photos, products, strict=True) if own], list(coloured))
    in_search = {phrase: share(order[phrase], right) for phrase, right in coloured.items()}
    kept_in_search = {phrase: share(order[phrase], of_noun[phrase.split()[1]][products]) for phrase in coloured}
    scenes = sorted((root / "contours/photo").rglob("*.jpg"))
    with (Path(__file__).parent / "scenes.toml").open("rb") as file:
        labels = {word: set(text.split()) for word, text in tomllib.load(file).items()}
    of_scene = {word: np.array([path.stem in same for path in scenes]) for word, same in labels.items()}
    return {
        "things": table(of_noun, shown),
        "scenes": table(of_scene, encoded(scenes)),
        "colour and thing": in_colour,
        "colour and thing, only the thing": kept,
        "colour and thing, as a search ranks them": in_search,
        "the same, only the thing": kept_in_search,
    }


def main() -> None:
    root, model = Path(sys.argv[1]), load_model(sys.argv[2])
    for kind, found in measured(model, root).items():
        print(f"{kind}: {100 * np.mean(list(found.values())):.1f} of {len(found)} words")
        best = sorted(found.items(), key=lambda pair: -pair[1])
        print("  " + ", ".join(f"{word} {100 * value:.0f}" for word, value in best))


if __name__ == "__main__":
    main()
