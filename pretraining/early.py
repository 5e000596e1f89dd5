"""Fill one pass of the cache: augment every picture and run it through the frozen blocks of the stem.

    python pretraining/early.py DATA CACHE CONTOURS SIDE PASS [--workers 2]

The output of those blocks is computed once per pass and trained on several times. A picture's augmentation depends only
on its pass and its row, so the same command gives the same maps however often it was interrupted.
"""

import argparse
import json
from dataclasses import asdict, replace
from multiprocessing import Process
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from contours import Tracer
from imagenet import STEM, imagenet_network
from lines import jittered, line_drawing
from material import PHOTOS, SKETCHES, Item, Opener, list_items
from PIL import Image
from quick import use_quick_convolutions

from sketchseek.clip.lite import stages_of
from sketchseek.pictures import RasterSketch, fit, normalise

FROZEN_STAGES = 2
FROZEN = sum(count for count, *_ in stages_of(STEM)[:FROZEN_STAGES])  # blocks that keep their ImageNet weights
STRIDE, CHANNELS = 4, stages_of(STEM)[FROZEN_STAGES - 1][-1]  # of their output maps
BATCH = 32


def fitted(item: Item, picture: object, side: int, flip: bool) -> np.ndarray:
    """An opened picture -> uint8 (side, side, 3); for a line drawing its photo."""
    record = PHOTOS if item.kind in ("photo", "line") else SKETCHES
    pixels = fit(picture, replace(record, size=side))  # type: ignore[arg-type]
    return np.ascontiguousarray(pixels[:, ::-1]) if flip else pixels


def masked(root: Path, item: Item, side: int, flip: bool) -> np.ndarray | None:
    """The mask of an item's photo, as ``fitted`` makes the photo: float32 (side, side), 0 to 1."""
    if item.mask is None:
        return None
    with Image.open(root / item.mask) as mask:
        grey = np.asarray(mask.convert("L").resize((side, side), Image.Resampling.BILINEAR), np.float32) / 255
    return np.ascontiguousarray(grey[:, ::-1]) if flip else grey


def varied(
    item: Item,
    drawing: np.ndarray,
    trace: tuple[np.ndarray, np.ndarray] | None,
    mask: np.ndarray | None,
    dice: np.random.Generator,
) -> np.ndarray:
    """The output of ``fitted`` -> an augmented training picture; ``trace``, ``mask``: of a line drawing's photo."""
    if item.kind == "photo":
        return _cropped(drawing, dice)
    if trace is not None:
        drawn = line_drawing(drawing, *trace, dice, mask)
        if dice.random() < 0.6:  # as large as people's drawings are fitted
            drawn = fit(RasterSketch(drawn), replace(SKETCHES, size=len(drawn)))
        return jittered(drawn, dice)
    if item.sort in ("words", "quickdraw") and dice.random() < 0.6:
        # Drawings of 28 px are blurred when enlarged; sharpen 60% of them, as if drawn with a mouse.
        drawing = (255 / (1 + np.exp(-(drawing.astype(np.float32) - 140) / 12))).astype(np.uint8)
    return jittered(drawing, dice)


def _cropped(photo: np.ndarray, dice: np.random.Generator) -> np.ndarray:
    side = len(photo)
    width, height = (dice.uniform(0.75, 1.0, 2) * side).astype(int)
    left, top = int(dice.integers(0, side - width + 1)), int(dice.integers(0, side - height + 1))
    box = (left, top, left + int(width), top + int(height))
    image = Image.fromarray(photo).resize((side, side), Image.Resampling.BILINEAR, box=box)
    light = np.asarray(image, np.float32) * dice.uniform(0.8, 1.2) + dice.uniform(-15, 15)
    return light.clip(0, 255).astype(np.uint8)


SHARES = {"words": 6} | {
    f"{sort}{kind}": share
    for sort, share in (("quickdraw", 3), ("photos", 2), ("products", 2), ("mixed", 2))
    for kind in ("", "-lines")
}


def wanted(items: list[Item], number: int) -> np.ndarray:
    """Rows of pass ``number``: a different half or quarter of the large data sets, and all of the small ones."""
    parts = [crc32((item.about or item.source).encode()) % SHARES.get(item.sort, 1) for item in items]
    turns = [number % SHARES.get(item.sort, 1) for item in items]
    rows = [row for row, (part, turn) in enumerate(zip(parts, turns, strict=True)) if part == turn]
    return np.array([row for row in rows if items[row].part == "train" or items[row].sort == "sketchy"])


def fill(root: Path, folder: Path, contours: Path, side: int, number: int, share: int, shares: int) -> None:
    """Compute the rows of one worker; finished rows are skipped."""
    torch.set_num_threads(1)
    use_quick_convolutions()
    items, opener = list_items(root), Opener(root)
    stem, _, _ = imagenet_network()
    stem = stem.to(memory_format=torch.channels_last)
    tracer = Tracer(contours)
    maps, pooled, ready = (np.load(folder / f"{name}.npy", mmap_mode="r+") for name in ("maps", "pooled", "ready"))
    rows = wanted(items, number)[share::shares]
    rows = rows[ready[rows] == 0]
    for batch in np.array_split(rows, -(-len(rows) // BATCH)) if len(rows) else []:
        pictures, lined = [], []
        masks: dict[int, np.ndarray | None] = {}
        for place, row in enumerate(batch):
            item = items[row]
            # Mirror a photo and all its drawings together.
            flip = item.part == "train" and bool(crc32(f"{number} {item.about or row}".encode()) & 1)
            pictures.append(fitted(item, opener(item), side, flip))
            if item.kind == "line":
                lined.append(place)
                masks[place] = masked(root, item, side, flip)
        found = zip(*tracer([pictures[place] for place in lined]), strict=True) if lined else ()
        traces = dict(zip(lined, found, strict=True))
        for place, row in enumerate(batch):
            if items[row].part == "train":
                dice = np.random.default_rng((number, int(row)))
                pictures[place] = varied(items[row], pictures[place], traces.get(place), masks.get(place), dice)
        pixels = torch.from_numpy(normalise(np.stack(pictures), PHOTOS)).to(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            early = stem.early(pixels, FROZEN).bfloat16()
            photos = [place for place, row in enumerate(batch) if items[row].kind == "photo"]
            if photos:
                pooled[batch[photos]] = stem.features(early[photos], FROZEN)[0].float().mean((2, 3)).numpy()
        maps[batch] = early.permute(0, 2, 3, 1).contiguous().view(torch.int16).numpy()
        ready[batch] = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("contours", type=Path)
    parser.add_argument("side", type=int)
    parser.add_argument("number", type=int, metavar="PASS")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    items = list_items(options.data)
    folder = options.cache / f"{options.side}-{options.number}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "items.json").write_text(json.dumps([asdict(item) for item in items]))
    grid = options.side // STRIDE
    for name, kind, shape in (
        ("maps", np.int16, (len(items), grid, grid, CHANNELS)),
        ("pooled", np.float16, (len(items), 1280)),
        ("ready", np.uint8, (len(items),)),
    ):
        if not (folder / f"{name}.npy").exists():
            np.lib.format.open_memmap(folder / f"{name}.npy", "w+", kind, shape)
    shares = [
        (options.data, folder, options.contours, options.side, options.number, n, options.workers)
        for n in range(options.workers)
    ]
    workers = [Process(target=fill, args=share) for share in shares]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit("a worker stopped early; run the same command again")


if __name__ == "__main__":
    main()
