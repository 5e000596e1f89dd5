"""How often is the name of a drawing among five guesses, and can one tell when? What docs/notes/guesses.md says.

    python pretraining/guesses.py DATA

Drawings are those of validation classes: Sketchy's (300) and QuickDraw's (50 of each class). Guesses are the nearest of
all names of classes, as words, or as the mean of 16 drawings of QuickDraw. `thin`: QuickDraw's drawings as the page
would send them, lines of one width on a sheet, found by thinning.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchseek.engine.models import load_search_model
from sketchseek.model import Model
from sketchseek.pictures import RasterSketch, Sketch, load_sketch, sketch_from_strokes

SHARES = (0.1, 0.15, 0.3, 0.5, 1.0)
EXAMPLES, TESTED, BATCH = 16, 50, 64
Vectors = NDArray[np.float32]


def clean(name: str) -> str:
    return name.replace("_", " ").replace("(", "").replace(")", "").lower()


def encoded(model: Model, sketches: Sequence[Sketch]) -> Vectors:
    return np.concatenate([model.encode_sketches(sketches[i : i + BATCH]) for i in range(0, len(sketches), BATCH)])


def thinned(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Zhang and Suen's thinning: lines one pixel wide."""
    ink = ink.copy()
    while True:
        before = ink.sum()
        for first in (True, False):
            padded = np.pad(ink, 1)
            n = [padded[1 + y : len(ink) + 1 + y, 1 + x : ink.shape[1] + 1 + x] for y, x in AROUND]
            count = np.sum(n, axis=0)
            turns = np.sum([~n[i] & n[(i + 1) % 8] for i in range(8)], axis=0)
            a, b = ((0, 2, 4), (2, 4, 6)) if first else ((0, 2, 6), (0, 4, 6))
            open_sides = ~(n[a[0]] & n[a[1]] & n[a[2]]) & ~(n[b[0]] & n[b[1]] & n[b[2]])
            ink &= ~((count >= 2) & (count <= 6) & (turns == 1) & open_sides)
        if ink.sum() == before:
            return ink


AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def as_strokes(file: Path) -> Sketch:
    image = Image.open(file).convert("L").resize((112, 112), Image.Resampling.BICUBIC)
    places = {(int(y), int(x)) for y, x in np.argwhere(thinned(np.asarray(image) < 140))}
    pairs = [(y, x, y + dy, x + dx) for y, x in places for dy, dx in AROUND[1:5] if (y + dy, x + dx) in places]
    strokes = [[[150 + 6.2 * a[1], 150 + 6.2 * a[3]], [50 + 6.2 * a[0], 50 + 6.2 * a[2]]] for a in pairs]
    return sketch_from_strokes(strokes, sheet=(1000, 800))


def report(title: str, scores: Vectors, right: NDArray[np.int64]) -> None:
    """Confidence: twice the best cosine, less the sixth. ``right``: index of the name; -1 if it is no name."""
    order = np.argsort(-scores, axis=1)
    best = -np.sort(-scores, axis=1)
    found = (order[:, :5] == right[:, None]).any(axis=1)[np.argsort(-(2 * best[:, 0] - best[:, 5]))]
    row = [f"{found[: max(1, int(share * len(found)))].mean():.0%}" for share in SHARES]
    print(f"| {title} | {len(found)} | {' | '.join(row)} |", flush=True)


def drawings(data: Path) -> Iterator[tuple[str, list[tuple[Path, str]]]]:
    """Files of validation drawings with their class."""
    for name, most in (("sketchy", 10_000), ("quickdraw", TESTED)):
        classes = json.loads((data / name / "splits.json").read_text())["val"]
        yield name, [(f, clean(c)) for c in classes for f in sorted((data / name / "sketch" / c).glob("*.png"))[:most]]


def examples(data: Path, model: Model) -> tuple[list[str], Vectors]:
    """Names, and the mean vector of drawings that are not tested."""
    stored = np.load(data / "quickdraw" / "words.npz", allow_pickle=False)
    names = [clean(str(name)) for name in stored["names"]]
    sketches: list[Sketch] = []
    for label in range(len(names)):
        pixels = stored["drawings"][stored["labels"] == label][:EXAMPLES]
        sketches += [RasterSketch(np.repeat(one[:, :, None], 3, axis=2)) for one in pixels]
    for name in json.loads((data / "quickdraw" / "splits.json").read_text())["val"]:
        files = sorted((data / "quickdraw" / "sketch" / name).glob("*.png"))[TESTED : TESTED + EXAMPLES]
        names.append(clean(name))
        sketches += [load_sketch(file) for file in files]
    means = encoded(model, sketches).reshape(len(names), EXAMPLES, -1).mean(axis=1)
    return names, means / np.linalg.norm(means, axis=1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    model = load_search_model("default")
    drawn, means = examples(data, model)
    splits = json.loads((data / "sketchy" / "splits.json").read_text())
    names = sorted({*drawn, *(clean(name) for split in splits.values() for name in split)})
    words = model.encode_texts(names)
    print(f"{len(names)} names as words, {len(drawn)} of them as drawings\n")
    print(f"| right among five | drawings | {' | '.join(f'surest {share:.0%}' for share in SHARES)} |")
    print("|---" * (2 + len(SHARES)) + "|")
    for source, files in drawings(data):
        for kind in ("as it is", "thin") if source == "quickdraw" else ("as it is",):
            sketches = [as_strokes(file) if kind == "thin" else load_sketch(file) for file, _ in files]
            vectors = encoded(model, sketches)
            for how, known, rows in (("words", names, words), ("drawings", drawn, means)):
                right = np.array([known.index(name) if name in known else -1 for _, name in files])
                report(f"{source} {kind}, {how}", vectors @ rows.T, right)


if __name__ == "__main__":
    main()
