"""The photo that each sketch shows, from its file name or from a ``pairs.csv`` in the dataset's folder."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path

from sketchseek.datasets.items import DatasetError, Drawing, Kind, Photo, ProblemLog
from sketchseek.datasets.scan import FoundFile
from sketchseek.wording import canonical

Row = dict[str, str]


def instance_of(label: str, photo: str) -> str:
    """The name of a photo: files of one class with the same stem are the same photo."""
    return f"{label}/{_stem(photo)}"


def drawn_instance(label: str, sketch: str) -> str | None:
    """The photo in a sketch's name, the part before the last ``-``: ``n02691156_58-1.png`` shows ``n02691156_58``."""
    stem, dash, _ = _stem(sketch).rpartition("-")
    return f"{label}/{stem}" if dash and stem else None


def _stem(path: str) -> str:
    return os.path.splitext(path.rpartition("/")[2])[0]  # noqa: PTH122 - once for each file


def make_drawings(
    sketches: Iterable[FoundFile], photos: Iterable[Photo], rows: dict[str, Row] | None, log: ProblemLog
) -> tuple[Drawing, ...]:
    """Sketches with their photos; an instance is only set if its photo exists."""
    by_path = {photo.path: photo for photo in photos}
    instances = {photo.instance for photo in by_path.values()}
    drawings = []
    for sketch in sketches:
        row = rows.get(sketch.path) if rows is not None else None
        if row is None:
            if rows is not None:
                log.add(Kind.PAIR_UNLISTED, sketch.path)
            instance = drawn_instance(sketch.label, sketch.path)
            drawings.append(Drawing(sketch.path, sketch.label, instance if instance in instances else None))
        else:
            drawings.append(_from_row(sketch, row, by_path, log))
    missing = (rows or {}).keys() - {drawing.path for drawing in drawings}
    log.extend(Kind.PAIR_MISSING_FILE, missing)
    return tuple(drawings)


def _from_row(sketch: FoundFile, row: Row, photos: dict[str, Photo], log: ProblemLog) -> Drawing:
    photo = photos.get(row["photo"])
    if photo is None:
        log.add(Kind.PAIR_MISSING_FILE, row["photo"])
    classes = {canonical(row["class"])} if row.get("class") else set()
    classes |= {photo.label} if photo else set()
    if classes - {sketch.label}:
        log.add(Kind.PAIR_CLASS, sketch.path)
    instance = photo.instance if photo and photo.label == sketch.label else None
    about = [row.get(column, "") for column in ("drawer", "flag", "split")]
    return Drawing(sketch.path, sketch.label, instance, *about)


def read_pairs(root: Path, log: ProblemLog) -> dict[str, Row] | None:
    """Rows of ``pairs.csv`` by sketch; None if it does not exist.

    Columns: sketch, photo (paths below the root); optional: class, drawer, flag, split.
    """
    file = root / "pairs.csv"
    if not file.is_file():
        return None
    rows: dict[str, Row] = {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, restval="", restkey="more")
            if not {"sketch", "photo"} <= set(reader.fieldnames or ()):
                raise DatasetError(f"{file} needs a first line with the columns sketch and photo")
            for row in reader:
                row = {column: row[column].strip() for column in row if column != "more"}
                if row["sketch"] in rows:
                    log.add(Kind.PAIR_DUPLICATE, row["sketch"])
                rows.setdefault(row["sketch"], row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{file} cannot be read as a CSV table ({error}): fix or delete it") from error
    return rows
