"""Teach a model folder names of drawings, and say how often they are right: what docs/notes/guesses.md says.

    python pretraining/guesses.py DATA CACHE [--write src/sketchseek/models/default]

Drawings are those of QuickDraw and Sketchy; never of an unseen class. QuickDraw's are drawn again as the page draws:
lines of one width on a sheet, found by thinning, each once whole and once in part, as while one draws. Linear
discriminants of the names are fitted to their vectors. Figures are of drawings of the validation classes, which the
model has never seen: in each of five turns, the names are learned from all other drawings, and a fifth is tested.
"""

import argparse
import hashlib
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchseek.engine.encoder import load
from sketchseek.engine.folder import GUESSES, FileFacts, read_record, write_record
from sketchseek.engine.guesses import MOST, Guesses
from sketchseek.engine.models import required_model
from sketchseek.pictures import Sketch, load_sketch, sketch_from_strokes

EXAMPLES, BATCH, TURNS = 60, 64, 5
LEAST_RIGHT = 0.8  # of the drawings that get names
MOST_WRONG = 0.25  # of the drawings whose names were not learned, that get names nevertheless
SHRINK, SHARPNESS = 1.0, 0.3  # of the discriminants; chosen on the drawings of the table
SAME = {
    "car sedan": "car",
    "crocodilian": "crocodile",
    "hot dog": "hotdog",
    "hot-air balloon": "hot air balloon",
    "motorbike": "motorcycle",
    "racket": "tennis racquet",
    "teddy-bear": "teddy bear",
    "the eiffel tower": "eiffel tower",
    "the great wall of china": "great wall of china",
    "the mona lisa": "mona lisa",
}
# Learned, so that nothing else is taken for them; no one looks for them.
NEVER = ["animal migration", "camouflage", "circle", "hexagon", "line", "octagon", "square", "squiggle", "stitches"]
NEVER += ["triangle", "zigzag"]
Vectors = NDArray[np.float32]
Place = tuple[int, int]
Segment = tuple[int, int, int, int]  # y, x, y, x
AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


@dataclass(frozen=True)
class Drawings:
    """Vectors (n, size) of drawings: where each is from, what it shows, and which drawings are of one thing."""

    vectors: Vectors
    sources: NDArray[np.str_]  # sketchy, quickdraw, quickdraw in part
    names: NDArray[np.str_]
    groups: NDArray[np.str_]  # never torn apart by a turn
    tested: NDArray[np.bool_]  # of a validation class


def clean(name: str) -> str:
    name = name.replace("_", " ").replace("(", "").replace(")", "").lower()
    return SAME.get(name, name)


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


def segments(pixels: NDArray[np.uint8]) -> list[Segment]:
    """The lines of a drawing of 28 x 28 px, black on white, as pieces on a grid of 112 x 112."""
    image = Image.fromarray(pixels).resize((112, 112), Image.Resampling.BICUBIC)
    places = {(int(y), int(x)) for y, x in np.argwhere(thinned(np.asarray(image) < 140))}
    return [(y, x, y + dy, x + dx) for y, x in sorted(places) for dy, dx in AROUND[1:5] if (y + dy, x + dx) in places]


def part(pieces: list[Segment], share: float, rng: np.random.Generator) -> list[Segment]:
    """About ``share`` of the pieces, from one end on."""
    beside: dict[Place, list[Place]] = {}
    for y, x, v, u in pieces:
        beside.setdefault((y, x), []).append((v, u))
        beside.setdefault((v, u), []).append((y, x))
    starts = [list(beside)[i] for i in rng.permutation(len(beside))]
    kept: set[Place] = set()
    queue: deque[Place] = deque()
    while len(kept) < share * len(beside):
        if not queue:
            queue.append(next(place for place in starts if place not in kept))
        place = queue.popleft()
        if place not in kept:
            kept.add(place)
            queue.extend(beside[place])
    return [piece for piece in pieces if piece[:2] in kept and piece[2:] in kept]


def on_the_page(pieces: list[Segment]) -> Sketch:
    strokes = [[[150 + 6.2 * x, 150 + 6.2 * u], [50 + 6.2 * y, 50 + 6.2 * v]] for y, x, v, u in pieces]
    return sketch_from_strokes(strokes or [[[500, 501], [400, 401]]], sheet=(1000, 800))


def pixels_of(data: Path) -> Iterator[tuple[str, NDArray[np.uint8], bool]]:
    """(name, drawing of 28 x 28 px, of a validation class) of QuickDraw."""
    stored = np.load(data / "quickdraw" / "words.npz", allow_pickle=False)
    for label, name in enumerate(stored["names"]):
        for pixels in stored["drawings"][stored["labels"] == label][:EXAMPLES]:
            yield clean(str(name)), pixels, False
    for name in json.loads((data / "quickdraw" / "splits.json").read_text())["val"]:
        for file in sorted((data / "quickdraw" / "sketch" / name).glob("*.png")):
            yield clean(name), np.asarray(Image.open(file).convert("L").resize((28, 28))), True


def drawings(data: Path) -> Iterator[tuple[Sketch, str, str, str, bool]]:
    """(drawing, source, name, group, of a validation class) of all drawings."""
    splits = json.loads((data / "sketchy" / "splits.json").read_text())
    for split in ("train", "val"):
        for name in splits[split]:
            for file in sorted((data / "sketchy" / "sketch" / name).glob("*.png")):
                photo = file.stem.rpartition("-")[0]
                yield load_sketch(file), "sketchy", clean(name), photo, split == "val"
    rng = np.random.default_rng(0)
    for number, (name, pixels, tested) in enumerate(pixels_of(data)):
        pieces = segments(pixels)
        yield on_the_page(pieces), "quickdraw", name, str(number), tested
        some = part(pieces, rng.uniform(0.4, 0.8), rng)
        yield on_the_page(some), "quickdraw in part", name, str(number), tested


def encoded(data: Path, cache: Path) -> Drawings:
    """The vectors of all drawings; half an hour on one core, so they are kept in ``cache``."""
    if not cache.exists():
        model = load(required_model("default"))
        rows: list[Vectors] = []
        facts: list[tuple[str, str, str, bool]] = []
        batch: list[Sketch] = []
        for sketch, *fact in drawings(data):
            facts.append((fact[0], fact[1], fact[2], bool(fact[3])))
            batch.append(sketch)
            if len(batch) == BATCH:
                rows.append(model.encode_sketches(batch))
                batch = []
                if len(rows) % 20 == 0:
                    print(f"{len(facts)} drawings", flush=True)
        rows += [model.encode_sketches(batch)] if batch else []
        sources, names, groups, tested = zip(*facts, strict=True)
        kept = {"sources": sources, "names": names, "groups": groups, "tested": tested}
        np.savez(cache, vectors=np.concatenate(rows), **{key: np.array(values) for key, values in kept.items()})
    with np.load(cache, allow_pickle=False) as stored:
        return Drawings(**stored)


def fitted(some: Drawings, rows: NDArray[np.bool_]) -> Guesses:
    """Linear discriminants of the names of these rows; each name weighs the same, and of a name each source."""
    names, labels = np.unique(some.names[rows], return_inverse=True)
    vectors = some.vectors[rows].astype(np.float64)
    _, kinds = np.unique(np.char.add(np.char.add(some.sources[rows], "/"), some.names[rows]), return_inverse=True)
    weight = 1 / np.bincount(kinds)[kinds]
    weight /= np.bincount(labels, weight)[labels]
    means = np.zeros((len(names), vectors.shape[1]))
    np.add.at(means, labels, weight[:, None] * vectors)
    apart = vectors - means[labels]
    spread = (apart * (weight / len(names))[:, None]).T @ apart
    spread += SHRINK * np.trace(spread) / len(spread) * np.eye(len(spread))
    weights = SHARPNESS * np.linalg.solve(spread, means.T).T
    bias = -0.5 * (weights * means).sum(axis=1)
    given = ~np.isin(names, NEVER)
    return Guesses(tuple(map(str, names)), weights.astype(np.float32), bias.astype(np.float32), given, 0.0)


@dataclass(frozen=True)
class Outcome:
    """Of drawings, one row each: how likely the best names are together, whether the right one is among them."""

    sure: NDArray[np.float64]
    right: NDArray[np.bool_]

    def shown(self, least: float) -> tuple[float, float]:
        """The share of drawings that get names, and how often the right one is among them."""
        shown = self.sure >= least
        return float(shown.mean()), float(self.right[shown].mean()) if shown.any() else float("nan")


def outcome(guesses: Guesses, some: Drawings, rows: NDArray[np.bool_]) -> Outcome:
    likely = guesses.likely(some.vectors[rows]) * guesses.given
    given = guesses.of(some.vectors[rows])
    right = np.array([name in found for name, found in zip(some.names[rows], given, strict=True)])
    return Outcome(np.sort(likely, axis=1)[:, -MOST:].sum(axis=1), right)


def joined(parts: list[Outcome]) -> Outcome:
    return Outcome(np.concatenate([one.sure for one in parts]), np.concatenate([one.right for one in parts]))


def turns(some: Drawings) -> NDArray[np.int64]:
    """The turn in which each drawing is tested; a group is never torn apart."""
    return np.array([int(hashlib.sha256(group.encode()).hexdigest(), 16) % TURNS for group in some.groups])


def measured(some: Drawings) -> tuple[dict[str, Outcome], dict[str, Outcome]]:
    """By source: drawings of validation classes whose names were learned, and of those whose names were not."""
    turn, sources = turns(some), np.unique(some.sources)
    known: dict[str, list[Outcome]] = {source: [] for source in sources}
    for number in range(TURNS):
        left_out = some.tested & (turn == number)
        guesses = fitted(some, ~left_out)
        for source in sources:
            known[source].append(outcome(guesses, some, left_out & (some.sources == source)))
    without = fitted(some, ~np.isin(some.names, some.names[some.tested]))
    unknown = {source: outcome(without, some, some.tested & (some.sources == source)) for source in sources}
    return {source: joined(parts) for source, parts in known.items()}, unknown


def chosen(known: dict[str, Outcome], unknown: dict[str, Outcome]) -> float:
    """The smallest threshold at which names are right often enough and wrong seldom enough, over whole drawings."""
    whole = ("sketchy", "quickdraw")
    for least in np.arange(0.3, 0.99, 0.01):
        right = np.mean([known[source].shown(least)[1] for source in whole])
        wrong = np.mean([unknown[source].shown(least)[0] for source in whole])
        if right >= LEAST_RIGHT and wrong <= MOST_WRONG:
            return round(float(least), 2)
    raise SystemExit("names are never right often enough")


def write(folder: Path, guesses: Guesses) -> None:
    data, record = guesses.to_bytes(), read_record(folder)
    (folder / GUESSES).write_bytes(data)
    write_record(folder, replace(record, files={**record.files, GUESSES: FileFacts.of(data)}))
    print(f"{folder / GUESSES}: {len(guesses.names)} names, {len(data):,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path, help="a file for the vectors of drawings")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="the model folder that gets the names")
    options = parser.parse_args()
    some = encoded(options.data, options.cache)
    known, unknown = measured(some)
    least = chosen(known, unknown)
    print(f"{len(np.unique(some.names))} names; shown from {least:.0%} on\n")
    print("| drawings | count | right among five | get names | right of these | get names if theirs was not learned |")
    print("|---|---|---|---|---|---|")
    for source, one in known.items():
        share, right = one.shown(least)
        wrong, _ = unknown[source].shown(least)
        print(f"| {source} | {len(one.sure)} | {one.right.mean():.0%} | {share:.0%} | {right:.0%} | {wrong:.0%} |")
    if options.write:
        write(options.write, replace(fitted(some, np.ones(len(some.names), bool)), least=least))


if __name__ == "__main__":
    main()
