"""Print the table of the model card: ``python pretraining/evaluate.py DATA MODEL val|unseen``.

mAP@all and acc@1/@5 within the class on ``sketchy``, words to photos, photos to photos (without the query itself), and
``quickdraw`` if it has classes of that part. Intervals resample photos. Use ``unseen`` only for a final table.
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek import load_model
from sketchseek.pictures import load_photo, load_sketch
from sketchseek.wording import class_in_words

Rows = NDArray[Any]


def average_precision(scores: Rows, relevant: Rows) -> Rows:
    """AP over all ranked photos per query, from scores and relevance (queries, photos)."""
    ranked = np.take_along_axis(relevant, np.argsort(-scores, axis=1, kind="stable"), axis=1)
    return (ranked.cumsum(1) / np.arange(1, ranked.shape[1] + 1) * ranked).sum(1) / ranked.sum(1)


def interval(values: Rows, photos: Rows) -> dict[str, Any]:
    """Mean in percent with a 95% interval from 1,000 resamples of ``photos``, one per value."""
    names, owner = np.unique(photos, return_inverse=True)
    sums, counts = np.bincount(owner, values), np.bincount(owner)
    dice = np.random.default_rng(0)
    draws = dice.integers(0, len(names), (1000, len(names)))
    means = 100 * sums[draws].sum(1) / counts[draws].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": round(100 * float(values.mean()), 1), "low": round(float(low), 1), "high": round(float(high), 1)}


def own_photos(folder: Path, photos: list[Path], sketches: list[Path]) -> Rows:
    """The row of the photo that each sketch of ``sketchy`` was drawn from: (sketches,)."""
    with (folder / "pairs.csv").open(newline="", encoding="utf-8") as file:
        pairs = {row["sketch"]: row["photo"] for row in csv.DictReader(file)}
    row_of = {path.relative_to(folder).as_posix(): number for number, path in enumerate(photos)}
    return np.array([row_of[pairs[path.relative_to(folder).as_posix()]] for path in sketches])


def ahead_of_own(scores: Rows, relevant: Rows, own: Rows) -> Rows:
    """How many photos of its class rank before the one a sketch was drawn from: (sketches,)."""
    return (relevant & (scores > scores[np.arange(len(own)), own][:, None])).sum(1)


def main() -> None:
    root, model, part = Path(sys.argv[1]), load_model(sys.argv[2]), sys.argv[3]
    table: dict[str, Any] = {"model": model.name, "identity": model.identity, "part": part}
    for data in ("sketchy", "quickdraw"):
        folder = root / data
        classes = json.loads((folder / "splits.json").read_text()).get(part, [])
        if not classes:
            continue
        photos = [path for name in classes for path in sorted((folder / "photo" / name).iterdir())]
        sketches = [path for name in classes for path in sorted((folder / "sketch" / name).iterdir())]
        shown = model.encode_photos([load_photo(path, target=model.photo_side) for path in photos])
        drawn = model.encode_sketches([load_sketch(path) for path in sketches])
        texts = model.encode_texts([f"a photo of a {class_in_words(name.partition('(')[0])}" for name in classes])
        photo_class = np.array([path.parent.name for path in photos])
        sketch_class = np.array([path.parent.name for path in sketches])
        drawing_of = np.array([f"{p.parent.name}/{p.stem.rsplit('-', 1)[0]}" for p in sketches])
        scores, relevant = drawn @ shown.T, sketch_class[:, None] == photo_class[None]
        figures: dict[str, Any] = {"sketches": len(sketches), "photos": len(photos)}
        figures["map_all"] = interval(average_precision(scores, relevant), drawing_of)
        alike = shown @ shown.T
        np.fill_diagonal(alike, -2)
        same = (photo_class[:, None] == photo_class[None]) & ~np.eye(len(photos), dtype=bool)
        figures["photos_to_photos"] = interval(average_precision(alike, same), np.array(list(map(str, photos))))
        by_word = average_precision(texts @ shown.T, np.array(classes)[:, None] == photo_class[None])
        figures["words_to_photos"] = interval(by_word, np.array(classes))
        if data == "sketchy":
            own = own_photos(folder, photos, sketches)
            ahead = ahead_of_own(scores, relevant, own)
            for k in (1, 5):
                figures[f"acc@{k}"] = interval((ahead < k).astype(float), own)
        table[data] = figures
    print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
