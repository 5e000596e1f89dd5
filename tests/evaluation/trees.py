"""Small datasets: as folders with real pictures, and as lists of items without any files."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from sketchseek.datasets import Dataset, Drawing, Photo, canonical
from sketchseek.wording import class_in_words

SIDE = 64
#: Names as hostile as a file system lets them be.
HOSTILE = '<b onload=x>"&amp;'


def make_tree(root: Path, classes: Iterable[str], photos: int = 4, sketches: int = 3, extended: int = 0) -> Path:
    """``sketch/<class>``, ``photo/<class>``: polygons; the number of corners is the class, the tilt the photo.

    Sketch i draws photo i (modulo the photos); of each class the first ``extended`` photos are in the extension again.
    """
    for number, name in enumerate(classes):
        for i in range(photos):
            save(polygon(number, i, filled=True), root / "photo" / name / f"p{i}.png")
            if i < extended:
                save(polygon(number, i, filled=True), root / "extended_photo" / name / f"p{i}.png")
        for i in range(sketches):
            save(polygon(number, i % photos, filled=False, shift=i), root / "sketch" / name / f"p{i % photos}-{i}.png")
    return root


def polygon(corners: int, tilt: int, *, filled: bool, shift: int = 0) -> Image.Image:
    angles = np.arange(corners + 3) * 2 * np.pi / (corners + 3) + 0.35 * tilt
    points = [(SIDE / 2 + shift + 22 * np.cos(a), SIDE / 2 + 22 * np.sin(a)) for a in angles]
    if filled:
        image = Image.new("RGB", (SIDE, SIDE), (40 + 30 * tilt % 200, 90, 160))
        ImageDraw.Draw(image).polygon(points, fill=(230, 200, 20 * corners % 255))
    else:
        image = Image.new("RGB", (SIDE, SIDE), "white")
        ImageDraw.Draw(image).line([*points, points[0]], fill="black", width=2)
    return image


def save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def dataset_of(
    name: str,
    classes: Iterable[str],
    photos: int = 5,
    sketches: int = 2,
    extended: int = 0,
    groups: dict[str, list[str]] | None = None,
) -> Dataset:
    """A dataset without files: each class with so many of each, sketch i drawing photo i; photos are in the extension
    again as often as ``extended`` says.
    """
    shots, drawings = [], []
    for label in sorted(canonical(one) for one in classes):
        shots += [Photo(f"photo/{label}/p{i}.jpg", label, f"{label}/p{i}") for i in range(photos)]
        shots += [Photo(f"extra/{label}/p{i}.jpg", label, f"{label}/p{i}", extended=True) for i in range(extended)]
        drawings += [Drawing(f"sketch/{label}/p{i}-1.png", label, f"{label}/p{i}") for i in range(sketches)]
    words = {canonical(one): class_in_words(one) for one in classes}
    return Dataset(
        name,
        "simple",
        Path("/nowhere"),
        dict(sorted(words.items())),
        tuple(sorted(shots, key=lambda photo: photo.path)),
        tuple(drawings),
        groups={group: tuple(sorted(map(canonical, names))) for group, names in (groups or {}).items()},
    )
