"""Fill the cache of early maps, one augmented picture after another; started beside ``train_image.py``.

The first blocks of the stem stay frozen, so what leaves them is computed once a picture and trained on several times.
Runs until it is stopped; after all items it begins again with fresh augmentation and overwrites the old maps.
"""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from imagenet import lite0
from lines import jittered, line_drawing
from material import PHOTOS, SKETCHES, Item, Opener, list_items
from PIL import Image

from sketchseek.pictures import fit, normalise

FROZEN = 8  # blocks of the stem that keep their ImageNet weights
BATCH = 16


def augmented(item: Item, picture: object, side: int, dice: np.random.Generator) -> np.ndarray:
    """An opened picture -> uint8 (side, side, 3), as training varies it."""
    if item.kind in ("photo", "line"):
        photo = fit(picture, replace(PHOTOS, size=side))  # type: ignore[arg-type]
        if item.kind == "line":
            return jittered(line_drawing(photo, dice), dice)
        return _cropped(photo, dice)
    drawing = fit(picture, replace(SKETCHES, size=side))  # type: ignore[arg-type]
    if item.sort in ("words", "quickdraw") and dice.random() < 0.6:
        # 28 px blown up are blurred; half of them become lines as crisp as those of a mouse.
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


def main() -> None:
    root, folder, side = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    items = list_items(root)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "items.json").write_text(json.dumps([asdict(item) for item in items]))
    stem, classifier, bias = lite0()
    stem = stem.to(memory_format=torch.channels_last)
    grid = side // 16
    maps = opened(folder / "maps.npy", np.int16, (len(items), grid, grid, 80))
    teacher = opened(folder / "teacher.npy", np.float16, (len(items), 1000))
    ready = opened(folder / "ready.npy", np.uint8, (len(items),))
    opener = Opener(root)
    dice = np.random.default_rng(0)
    while True:
        for rows in np.array_split(_order(items, dice), -(-len(items) // BATCH)):
            pictures = []
            for row in rows:
                item = items[row]
                picture = opener(item)
                if item.part == "train":
                    pictures.append(augmented(item, picture, side, dice))
                else:
                    pictures.append(fit(picture, replace(PHOTOS if item.kind == "photo" else SKETCHES, size=side)))
            pixels = torch.from_numpy(normalise(np.stack(pictures), PHOTOS)).to(memory_format=torch.channels_last)
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
                early = stem.early(pixels, FROZEN).bfloat16()
                photos = [place for place, row in enumerate(rows) if items[row].kind == "photo"]
                if photos:
                    pooled = stem.features(early[photos], FROZEN).float().mean((2, 3))
                    teacher[rows[photos]] = (pooled @ classifier.T + bias).float().numpy()
            maps[rows] = early.permute(0, 2, 3, 1).contiguous().view(torch.int16).numpy()
            ready[rows] = 1


def opened(path: Path, kind: type, shape: tuple[int, ...]) -> np.ndarray:
    """An array on disk; one that is there is filled on, so that training can go on at once."""
    mode = "r+" if path.exists() else "w+"
    return np.lib.format.open_memmap(path, mode, None if mode == "r+" else kind, None if mode == "r+" else shape)


def _order(items: list[Item], dice: np.random.Generator) -> np.ndarray:
    """Validation early, then all sorts in even shares, each photo just before the drawings of it."""
    group = {}
    weights = {"sketchy": 8.0, "sketchy-lines": 3.0, "words": 8.0, "quickdraw": 6.0, "photos": 3.0, "photos-lines": 2.0}
    key = np.empty(len(items))
    total = dict.fromkeys({item.sort for item in items}, 0)
    for item in items:
        total[item.sort] += 1
    for row, item in enumerate(items):
        if item.part == "val":
            key[row] = dice.uniform(0, 0.12 if item.sort == "sketchy" else 1.0)
            continue
        name = item.about or f"{row}"
        base = item.sort.removesuffix("-lines")
        speed = weights.get(base, 3.0) / max(total[base], 1)
        group.setdefault(name, dice.uniform(0, 1) / speed)
        key[row] = group[name] / 2000 + (0.001 if item.kind != "photo" else 0)
    return np.argsort(key, kind="stable")


if __name__ == "__main__":
    main()
