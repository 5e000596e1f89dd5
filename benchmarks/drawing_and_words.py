"""What a noun beside a drawing is worth: how many of the first ten photos show the class that was drawn.

    python benchmarks/drawing_and_words.py DATA --gallery FOLDER [--unseen]

The gallery, which is made if it is not there, has all photos of sketchy, quickdraw, shoes, contours and photos in DATA.
Queries are drawings of Sketchy's validation classes (with --unseen of its unseen ones: for a final table only), the
name of the class, and both. A photo is right if its folder has the name of the class. Classes are resampled for the
95% intervals.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from sketchseek.evaluation.bootstrap import bootstrap_interval
from sketchseek.gallery import Gallery, Hit

PHOTOS = ("sketchy/photo", "quickdraw/photo", "shoes/photo", "contours/photo", "photos")
DRAWINGS = 5  # of each class
FIRST = 10
SEED, RESAMPLES = 7, 1000
COLUMNS = ("drawing", "word", "both", "both less drawing", "both less word")


def spoken(name: str) -> str:
    """A class as its name is said."""
    return name.replace("_", " ").replace("-", " ").lower()


def right(hits: list[Hit], label: str) -> float:
    """The share of the first photos that are in a folder of this class, in percent."""
    return 100 * sum(spoken(hit.path.parent.name) == label for hit in hits) / FIRST


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--gallery", type=Path, help="folder that keeps the gallery; default a temporary one")
    parser.add_argument("--unseen", action="store_true")
    given = parser.parse_args()
    group = "unseen" if given.unseen else "val"
    names = json.loads((given.data / "sketchy" / "splits.json").read_text())[group]
    dice = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory() as temporary, Gallery.open(given.gallery or temporary) as gallery:
        gallery.add([given.data / name for name in PHOTOS if (given.data / name).is_dir()])
        rows, classes = [], []
        for number, name in enumerate(names):
            drawn, label = sorted((given.data / "sketchy" / "sketch" / name).iterdir()), spoken(name)
            word = right(gallery.search(text=label, k=FIRST), label)
            for at in dice.permutation(len(drawn))[:DRAWINGS]:
                drawing = right(gallery.search(sketch=drawn[at], k=FIRST), label)
                both = right(gallery.search(sketch=drawn[at], text=label, k=FIRST), label)
                rows.append((drawing, word, both, both - drawing, both - word))
                classes.append(number)
        print(f"\n**{group}: {len(rows)} drawings of {len(names)} classes, among {gallery.stats().photos:,} photos**\n")
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    values = np.array(rows)
    ends = bootstrap_interval(values, np.array(classes), resamples=RESAMPLES, seed=SEED)
    cells = [f"{mean:.1f} [{low:.1f}, {high:.1f}]" for mean, low, high in zip(values.mean(0), *ends, strict=True)]
    print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
