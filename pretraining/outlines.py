"""Measure what comparing outlines adds to vectors: ``python pretraining/outlines.py DATA RUN/contours.pt lite``.

Compares the ink of a drawing with the lines that people would draw over a photo, both as strength by direction and
cell, with the drawing moved by up to 29% of the side and in four sizes; lines count most where ImageNet's classifier
sees the object. Only the contours are learned. Prints mAP@all, and acc@1, acc@5 within the class, for the validation
classes of ``sketchy``, with 95% intervals from resampled photos.
"""

import json
import sys
from pathlib import Path

import numpy as np
from contours import Tracer
from evaluate import ahead_of_own, average_precision, interval, own_photos
from material import PHOTOS, SKETCHES
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from sketchseek import load_model
from sketchseek.parallel import batches
from sketchseek.pictures import fit, load_photo, load_sketch

Maps = NDArray[np.float32]
SIDE, CELLS, DIRECTIONS = 112, 28, 6  # the maps of contours, cells a side, directions of a line
ROOM = 2 * CELLS  # so that shifted lines do not wrap around
SIZES = (0.6, 0.75, 0.9, 1.0)  # of a drawing, relative to the photo
SHIFT = 8  # cells in each direction
WEIGHTS = (0.25, 0.5, 1.0)  # of the outlines, added to the cosine of the vectors


def directed(lines: Maps) -> Maps:
    """Lines (n, SIDE, SIDE) -> (n, DIRECTIONS, CELLS, CELLS): strength by direction in each cell."""
    smooth = gaussian_filter(lines, (0, 1.5, 1.5))
    down, across = np.gradient(smooth, axis=1), np.gradient(smooth, axis=2)
    xx, yy, xy = (gaussian_filter(part, (0, 3, 3)) for part in (across * across, down * down, across * down))
    angle, strength = np.arctan2(2 * xy, xx - yy) / 2, np.sqrt(xx + yy)
    wide = SIDE // CELLS
    found = []
    for number in range(DIRECTIONS):
        ours = strength * np.clip(np.cos(2 * (angle - number * np.pi / DIRECTIONS)), 0, None) ** 2
        found.append(ours.reshape(len(ours), CELLS, wide, CELLS, wide).mean((2, 4)))
    return np.stack(found, axis=1)


def resized(drawings: Maps, size: float) -> Maps:
    """Drawings shrunk by ``size``, at most 1, in the middle of the sheet: (n, SIDE, SIDE)."""
    side = round(SIDE * size)
    before = (SIDE - side) // 2
    sheets = np.zeros_like(drawings)
    for sheet, drawing in zip(sheets, drawings, strict=True):
        small = Image.fromarray(drawing).resize((side, side), Image.Resampling.BOX)
        sheet[before : before + side, before : before + side] = np.asarray(small)
    return sheets


def likeness(drawings: Maps, photos: Maps, sizes: tuple[float, ...], shift: int) -> Maps:
    """Lines (n, SIDE, SIDE) and (m, SIDE, SIDE) -> the best cosine over sizes and shifts (n, m)."""
    shown = directed(photos)
    spectra = np.fft.rfft2(shown, s=(ROOM, ROOM))
    lengths = np.linalg.norm(shown.reshape(len(shown), -1), axis=1)
    near = np.arange(-shift, shift + 1)
    best = np.full((len(drawings), len(photos)), -1, np.float32)
    for size in sizes:
        drawn = directed(resized(drawings, size)) + 1e-9  # so that an empty sheet has a cosine, too
        for row, drawing in enumerate(drawn):
            turned = np.conj(np.fft.rfft2(drawing / np.linalg.norm(drawing), s=(ROOM, ROOM)))
            products = np.fft.irfft2((spectra * turned).sum(1), s=(ROOM, ROOM))
            best[row] = np.maximum(best[row], products[:, near][:, :, near].max((1, 2)) / lengths)
    return best


def main() -> None:
    root, tracer, model = Path(sys.argv[1]) / "sketchy", Tracer(Path(sys.argv[2])), load_model(sys.argv[3])
    classes = json.loads((root / "splits.json").read_text())["val"]
    photos, sketches = (
        [path for name in classes for path in sorted((root / kind / name).iterdir())] for kind in ("photo", "sketch")
    )
    own = own_photos(root, photos, sketches)
    same = np.array([path.parent.name for path in sketches])[:, None] == [path.parent.name for path in photos]

    pictures = [load_photo(path, target=model.photo_side) for path in photos]
    shown = model.encode_photos(pictures)
    drawings = [load_sketch(path) for path in sketches]
    drawn = model.encode_sketches(drawings)
    fitted = [fit(picture, PHOTOS) for picture in pictures]
    traced = [tracer(batch) for _, batch in batches(fitted, 32)]
    where = [
        Image.fromarray(heat).resize((SIDE, SIDE), Image.Resampling.BICUBIC) for _, part in traced for heat in part
    ]
    lines = np.concatenate([lines for lines, _ in traced]) * (0.2 + 0.8 * np.stack(where).clip(0, 1))
    greys = [Image.fromarray(fit(drawing, SKETCHES)).convert("L") for drawing in drawings]
    inks = np.stack([1 - np.float32(grey.resize((SIDE, SIDE), Image.Resampling.BOX)) / 255 for grey in greys])

    def row(name: str, scores: Maps) -> None:
        ahead = ahead_of_own(scores, same, own)
        values = (average_precision(scores, same), *((ahead < k).astype(float) for k in (1, 5)))
        cells = [f"{cell['mean']} [{cell['low']}, {cell['high']}]" for cell in (interval(v, own) for v in values)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)

    print("| outlines | mAP@all | acc@1 | acc@5 |\n|---|---|---|---|", flush=True)
    cosines = drawn @ shown.T
    for name, sizes, shift in (("where they are", (1.0,), 0), ("moved", (1.0,), SHIFT), ("in all sizes", SIZES, SHIFT)):
        outlines = likeness(inks, lines, sizes, shift)
        for weight in WEIGHTS:
            row(f"{name}, weight {weight}", cosines + weight * outlines)
        row(f"{name}, without the vectors", outlines)
    row("none", cosines)


if __name__ == "__main__":
    main()
