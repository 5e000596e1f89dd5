"""What coloured strokes are worth for finding the very photo that was drawn, and what they cost.

    python benchmarks/colours.py DATA --gallery FOLDER            # Sketchy's validation classes
    python benchmarks/colours.py DATA --gallery FOLDER --unseen   # its unseen classes: for a final table only

The gallery, which is made if it is not there, has the photos of Sketchy's train and validation classes (with --unseen
also of the unseen ones) and those of photos, products and mixed in DATA. Searches are those of a user: all photos,
``look`` both.

*Drawings* are people's, and they are black. Each is laid over its photo where the outlines fit best and cut into 36
pieces. A share of the pieces gets the colour of the page's palette that is nearest to the photo there, but one in ten a
colour by chance; where grey is nearest, a piece stays black. *Paintings* have no shapes: of 3 x 3 fields, 60% on
average are filled like that, all of them moved by up to 6% of the sheet; they are searched by colours alone.
A cell is the share of queries whose photo is among the first k, with its 95% interval; photos are resampled.
"""

import argparse
import csv
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchseek.colours import BYTES, oklab
from sketchseek.evaluation.bootstrap import bootstrap_interval
from sketchseek.gallery import Gallery
from sketchseek.model import has_lines
from sketchseek.outlines import CELLS, SHIFT, SIDE, SIZES, _laid, unpack
from sketchseek.pictures import RasterSketch, ink_map, load_photo, load_sketch

OTHERS = ("photos", "products/photo", "mixed/photo")
#: The colours of src/sketchseek/server/page/js/palette.js but black.
PALETTE = ("#d62828", "#f0821e", "#f2cb1d", "#2f9e44", "#2b6cd4", "#8a3fb5", "#f07fb0", "#8b5a2b", "#8a8d91")
GREY = len(PALETTE) - 1
RGB = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in PALETTE], np.uint8)
SHARES = (0.0, 1 / 3, 2 / 3, 1.0)
WRONG = 0.1  # of the colours
PIECES = 6  # in each direction
FIRST = (1, 5, 10, 100)
SEED = 3

TIMED = 50  # searches

Pixels = NDArray[np.uint8]
Search = Callable[[Any], Any]


@dataclass(frozen=True)
class Drawing:
    """A drawing and its photo, both as files."""

    sketch: Path
    photo: Path


def drawings(data: Path, group: str, most: int) -> list[Drawing]:
    """At most ``most`` of the drawings of a group of classes, the same ones every time."""
    folder = data / "sketchy"
    with (folder / "pairs.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == group]
    chosen = np.random.default_rng(SEED).permutation(len(rows))[:most]
    return [Drawing(folder / rows[row]["sketch"], folder / rows[row]["photo"]) for row in sorted(chosen)]


def named(colours: NDArray[Any]) -> NDArray[np.intp]:
    """The number of the palette's colour that is nearest, (..., 3) -> (...); pale ones are called by their hue."""
    lab, own = oklab(colours), oklab(RGB)
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    vivid = np.where(chroma > 0.03, np.clip(0.14 / np.maximum(chroma, 1e-3), 1, 2), 1)
    lab[..., 1:] *= vivid[..., None]
    apart = ((lab[..., None, :] - own) ** 2 * (0.5, 1, 1)).sum(axis=-1)
    return np.asarray(apart.argmin(axis=-1))


def chosen_colour(seen: Pixels, dice: np.random.Generator) -> int:
    """What a person draws pixels (n, 3) of a photo in."""
    if dice.random() < WRONG:
        return int(dice.integers(len(PALETTE)))
    return int(named(np.median(seen, axis=0)))


def place(ink: NDArray[np.float32], lines: NDArray[np.uint8]) -> tuple[float, int, int]:
    """Where a drawing fits the outlines of its photo (bytes,) best: its size, how far down and right in px of SIDE."""
    best = int((_laid(ink) @ unpack(lines[None])[0]).argmax())
    size, rest = divmod(best, (2 * SHIFT + 1) ** 2)
    down, right = divmod(rest, 2 * SHIFT + 1)
    step = SIDE // CELLS
    return SIZES[size], (SHIFT - down) * step, (SHIFT - right) * step


def coloured(
    sketch: RasterSketch, photo: Pixels, lines: NDArray[np.uint8], share: float, dice: np.random.Generator
) -> RasterSketch:
    """The drawing, with colours of the photo on a share of its pieces."""
    size, down, right = place(ink_map(sketch, SIDE), lines)
    inked = sketch.pixels.min(axis=2) < 192
    rows, columns = np.nonzero(inked)
    top, left, longest = rows.min(), columns.min(), max(np.ptp(rows), np.ptp(columns)) + 1
    # From px of the drawing to those of the square that ink_map draws into, and from there to the photo.
    middle = np.array([(rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2])
    points = (np.stack([rows, columns], axis=1) - middle) / longest * (1 - 2 * 0.12) * SIDE * size
    points = points + SIDE / 2 + (down, right)
    height, width = photo.shape[:2]
    unsquashed = max(height, width) / SIDE
    places = (points - SIDE / 2) * unsquashed + (height / 2, width / 2)
    found = np.where(inked[..., None], np.uint8(0), sketch.pixels)
    piece = (rows - top) * PIECES // longest * PIECES + (columns - left) * PIECES // longest
    for number in np.unique(piece):
        own = piece == number
        if dice.random() >= share:
            continue
        seen = [
            photo[ys.clip(0, height - 1), xs.clip(0, width - 1)]
            for shift in np.ndindex(3, 3)
            for ys, xs in [(places[own] + (np.array(shift) - 1) * unsquashed).round().astype(int).T]
        ]
        if (colour := chosen_colour(np.concatenate(seen), dice)) != GREY:
            found[rows[own], columns[own]] = RGB[colour]
    return RasterSketch(found)


def painting(photo: Pixels, dice: np.random.Generator) -> RasterSketch:
    """Fields of the photo's colours on white paper, moved a little."""
    small = np.asarray(Image.fromarray(photo).resize((96, 96), Image.Resampling.BOX))
    sheet = np.full((120, 120, 3), 255, np.uint8)
    down, right = dice.integers(-6, 7, 2) + 12
    for row, column in np.ndindex(3, 3):
        field = (slice(32 * row + 4, 32 * row + 28), slice(32 * column + 4, 32 * column + 28))
        if dice.random() < 0.6 and (colour := chosen_colour(small[field].reshape(-1, 3), dice)) != GREY:
            sheet[down + field[0].start : down + field[0].stop, right + field[1].start : right + field[1].stop] = RGB[
                colour
            ]
    return RasterSketch(sheet[12:108, 12:108])


def ranks(search: Search, queries: Sequence[Any], photos: Sequence[str]) -> NDArray[np.intp]:
    """How many photos come before the right one (n,), in searches for 100 hits."""
    found = []
    for query, photo in zip(queries, photos, strict=True):
        ids = [hit.id for hit in search(query)]
        found.append(ids.index(photo) if photo in ids else len(ids))
    return np.array(found)


def milliseconds(search: Search, queries: Sequence[Any]) -> float:
    """The median of the processor time of a search."""
    times = []
    for query in queries[:TIMED]:
        began = time.process_time()
        search(query)
        times.append(1000 * (time.process_time() - began))
    return float(np.median(times))


def rows_of(gallery: Gallery, some: Sequence[Drawing]) -> Iterator[str]:
    """The lines of the table."""
    model = gallery.model
    if not has_lines(model):
        raise SystemExit(f"the model {model.name} has no outlines, by which drawings are laid over their photos")
    sketches = [load_sketch(one.sketch) for one in some]
    photos = [load_photo(one.photo, target=model.photo_side) for one in some]
    ids = [gallery.collections.id_of(one.photo) for one in some]
    units = np.unique(ids, return_inverse=True)[1]
    lines = np.concatenate([model.encode_photos_with_lines([photo])[1] for photo in photos])
    costs = {}

    def search_drawing(query: tuple[RasterSketch, RasterSketch]) -> Any:
        sketch, pen = query
        return gallery.search(sketch=sketch, colours=pen if has_colours(pen) else None, k=FIRST[-1])

    for share in SHARES:
        dice = np.random.default_rng(SEED)
        made = [
            (sketch, coloured(sketch, photo, line, share, dice))
            for sketch, photo, line in zip(sketches, photos, lines, strict=True)
            if isinstance(sketch, RasterSketch)
        ]
        name = f"drawings, {share:.0%} of the pieces coloured"
        yield line_of(name, ranks(search_drawing, made, ids), units)
        costs[name] = milliseconds(search_drawing, made)

    def search_painting(one: RasterSketch) -> Any:
        return gallery.search(colours=one, k=FIRST[-1])

    dice = np.random.default_rng(SEED)
    made_of = {id: painting(photo, dice) for id, photo in zip(ids, photos, strict=True)}
    paintings = {id: one for id, one in made_of.items() if has_colours(one)}
    found = ranks(search_painting, list(paintings.values()), list(paintings))
    yield line_of("paintings, colours alone", found, np.arange(len(found)))
    costs["paintings"] = milliseconds(search_painting, list(paintings.values()))
    said = ", ".join(f"{cost:.0f} ({name})" for name, cost in costs.items())
    yield f"\nms of processor time for a search, the median of {TIMED}: {said}"


def has_colours(sketch: RasterSketch) -> bool:
    return bool((np.ptp(sketch.pixels, axis=2) >= 64).any())


def line_of(name: str, found: NDArray[np.intp], units: NDArray[np.intp]) -> str:
    cells = []
    for k in FIRST:
        right = (found < k).astype(np.float64)
        low, high = 100 * bootstrap_interval(right[:, None], units, resamples=1000, seed=0)[:, 0]
        cells.append(f"{100 * right.mean():.1f} [{low:.1f}, {high:.1f}]")
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of sketchy, photos, products and mixed")
    parser.add_argument("--gallery", type=Path, help="folder that keeps the gallery; default a temporary one")
    parser.add_argument("--unseen", action="store_true", help="Sketchy's unseen classes: for a final table only")
    parser.add_argument("--most", type=int, default=10_000, help="drawings")
    arguments = parser.parse_args()
    group = "unseen" if arguments.unseen else "val"
    splits = json.loads((arguments.data / "sketchy" / "splits.json").read_text())
    classes = [one for name in ("train", "val", *(["unseen"] if arguments.unseen else [])) for one in splits[name]]
    folders = [arguments.data / "sketchy" / "photo" / name for name in classes]
    folders += [arguments.data / name for name in OTHERS if (arguments.data / name).is_dir()]
    with tempfile.TemporaryDirectory() as temporary, Gallery.open(arguments.gallery or temporary) as gallery:
        gallery.add(folders)
        print(f"**sketchy {group}, among {gallery.stats().photos:,} photos; {BYTES} bytes of colours each**\n")
        print(f"| queries | {' | '.join(f'acc@{k}' for k in FIRST)} |")
        print("|---" * (len(FIRST) + 1) + "|")
        for line in rows_of(gallery, drawings(arguments.data, group, arguments.most)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
