"""Make a copy of ``sketchy`` with line drawings of every training photo: pairs for the fine-grained level.

    python pretraining/line_pairs.py DATA CONTOURS OUT [--count 4]

People drew one training photo in five. CONTOURS is what ``contours.py`` writes; drawings are augmented as ``early.py``
augments them. Photos of other classes keep people's drawings alone.
"""

import argparse
import csv
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from contours import Tracer
from early import fitted, masked, varied
from material import Item, Opener, list_items
from PIL import Image

from sketchseek.pictures import PictureError, load_sketch

SIDE = 224


def drawings(root: Path, item: Item, tracer: Tracer, opener: Opener, seed: int, count: int) -> Iterator[np.ndarray]:
    """Line drawings of an item's photo: uint8 (SIDE, SIDE, 3) each."""
    photo = fitted(item, opener(item), SIDE, flip=False)
    (lines,), (heat,) = tracer([photo])
    mask = masked(root, item, SIDE, flip=False)
    for number in range(count):
        yield varied(item, photo, (lines, heat), mask, np.random.default_rng((seed, number)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("contours", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=4, help="drawings of each photo")
    options = parser.parse_args()
    if options.out.exists():
        sys.exit(f"{options.out} exists: remove it, or name another folder")
    shutil.copytree(options.data / "sketchy", options.out, copy_function=shutil.copyfile)
    for folder in (options.out, *options.out.rglob("*/")):
        folder.chmod(0o755)  # the data may be read-only
    tracer, opener = Tracer(options.contours), Opener(options.data)
    with (options.out / "pairs.csv").open(newline="", encoding="utf-8") as file:
        columns = next(csv.reader(file))
    with (options.out / "pairs.csv").open("a", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns, extrasaction="ignore")
        lined = [item for item in list_items(options.data) if item.sort == "sketchy-lines"]
        for row, item in enumerate(lined):
            photo = Path(item.source).relative_to("sketchy")
            drawn = drawings(options.data, item, tracer, opener, row, options.count)
            for number, drawing in enumerate(drawn):
                sketch = Path("sketch", photo.parent.name, f"{photo.stem}-lines{number}.png")
                Image.fromarray(drawing).convert("L").save(options.out / sketch)
                try:
                    load_sketch(options.out / sketch)
                except PictureError:  # no line was strong enough
                    (options.out / sketch).unlink()
                    continue
                known = {"sketch": sketch.as_posix(), "photo": photo.as_posix(), "class": photo.parent.name}
                table.writerow(dict.fromkeys(columns, "") | known | {"split": "train"})


if __name__ == "__main__":
    main()
