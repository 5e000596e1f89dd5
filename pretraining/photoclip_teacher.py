"""What an ImageNet network sees in every training photo: the teacher of ``photoclip_image.py``.

    python pretraining/photoclip_teacher.py DATA RUN

Photos only: no drawing is opened. Run it again to continue.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from imagenet import STEM, imagenet_network
from material import PHOTOS, Item, Opener, list_items
from numpy.typing import NDArray
from quick import use_quick_convolutions
from torch import Tensor

from sketchseek.clip.lite import stages_of
from sketchseek.parallel import batches
from sketchseek.pictures import fit, normalise

SIDE, GRID = 256, 8  # pixels; cells of its last maps
BLOCKS = 11  # of the network that the student keeps, frozen: half of them
STAGES, CELLS = 4, 14  # the same in stages; cells of their output
SIZE = 256  # numbers of a cell: the principal axes of the ImageNet classifier
BATCH = 32


def photos(data: Path) -> list[Item]:
    """All training photos, in a fixed order."""
    return [item for item in list_items(data) if item.kind == "photo" and item.part == "train"]


def axes_of(rows: Tensor) -> Tensor:
    """The classifier's rows (1000, 1280) -> their principal axes (SIZE, 1280)."""
    return torch.linalg.svd(rows - rows.mean(0), full_matrices=False).Vh[:SIZE].contiguous()


def arrays(run: Path, count: int) -> dict[str, NDArray[np.generic]]:
    """What is kept of each photo, mapped from disk.

    ``maps``: of the student's frozen blocks. ``cells``: the network's last maps on the axes. ``ready``: 1 when done.
    """
    shapes = {
        "maps": (np.float16, (count, CELLS, CELLS, stages_of(STEM)[STAGES - 1][-1])),
        "cells": (np.float16, (count, GRID, GRID, SIZE)),
        "ready": (np.uint8, (count,)),
    }
    found = {}
    for name, (kind, shape) in shapes.items():
        path = run / f"{name}.npy"
        if not path.exists():
            np.lib.format.open_memmap(path, "w+", kind, shape)
        found[name] = np.load(path, mmap_mode="r+")
    return found


def prepared(opened: Sequence[Any], side: int) -> Tensor:
    """Opened photos -> pixels (n, 3, side, side) for the network."""
    pixels = np.stack([fit(photo, replace(PHOTOS, size=side)) for photo in opened])
    return torch.from_numpy(normalise(pixels, PHOTOS)).to(memory_format=torch.channels_last)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    options = parser.parse_args()
    options.run.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    use_quick_convolutions()
    items, opener = photos(options.data), Opener(options.data)
    (options.run / "photos.json").write_text(json.dumps([asdict(item) for item in items]), encoding="utf-8")
    stem, rows, _ = imagenet_network()
    stem, axes = stem.to(memory_format=torch.channels_last), axes_of(rows)
    kept = arrays(options.run, len(items))
    missing = np.flatnonzero(kept["ready"] == 0)
    for start, batch in batches(missing, BATCH):
        opened = [opener(items[row]) for row in batch]
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            maps = stem.early(prepared(opened, PHOTOS.size), BLOCKS)
            last = stem.features(stem.early(prepared(opened, SIDE), BLOCKS), BLOCKS)[0]
        cells = last.float().permute(0, 2, 3, 1) @ axes.T
        kept["maps"][batch] = maps.float().permute(0, 2, 3, 1).numpy()
        kept["cells"][batch] = cells.numpy()
        kept["ready"][batch] = 1
        if start // BATCH % 20 == 0:
            print(json.dumps({"photos": start + len(batch), "of": len(missing)}), flush=True)


if __name__ == "__main__":
    main()
