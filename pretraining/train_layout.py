"""Train the layout further, on the maps that it is read from: the final stem is frozen, so a step takes a tenth of a
second.

    python pretraining/train_layout.py RUN CACHE/224-0 CACHE/224-1 --steps 300

Takes blocks of one class from ``sketchy`` and ``contours``. Each drawing must find its photo among the photos of its
class, and each photo its drawing. Maps are moved by up to a cell, without which the few drawn photos are memorised.
"""

import argparse
import json
from collections import defaultdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from losses import Batch, paired
from quick import use_quick_convolutions
from safetensors.torch import load_file, save_file
from student import FROZEN, WHAT, Student, names_of, trained
from torch import Tensor, nn
from torch.nn.functional import normalize
from train_image import Maps, trained_photos

from sketchseek.parallel import batches

SORTS = ("sketchy", "sketchy-lines", "contours", "contours-lines")
CLASSES, DRAWINGS, LINES = 6, 12, 20  # classes of a batch, their drawings by people, their line drawings
RATE, DECAY, AVERAGE = 1e-3, 0.3, 0.98


def student_of(run: Path, cache: Maps) -> Student:
    """The student with the mean weights of all runs."""
    student = Student(names_of(run), cache.features(trained_photos(cache)[:100])).eval()
    student.load_state_dict(trained(run), strict=False)
    return student


def rows_of(cache: Maps) -> list[int]:
    """The rows that are trained on."""
    return [n for n, i in enumerate(cache.items) if i["sort"] in SORTS and i["part"] == "train" and cache.ready[n]]


def write_maps(run: Path, folder: Path, file: Path) -> None:
    """Save the layout's input for the rows of a pass, and what CLS is without the layout."""
    torch.set_num_threads(1)
    use_quick_convolutions()
    cache = Maps(folder)
    student = student_of(run, cache)
    stem: Any = student.tower.stem
    maps, rest = [], []
    for _, batch in batches(rows_of(cache), 32):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            features, middle = stem.features(cache.read(batch), FROZEN)
            cls = stem.tokens(features, middle, stem.positions)[:, 0].float()
            cls[:, WHAT:] -= stem.layout(middle).float()
        maps.append(middle.bfloat16())
        rest.append(cls)
    save_file({"maps": torch.cat(maps).clone().contiguous(), "rest": torch.cat(rest).clone()}, file.with_suffix(".new"))
    file.with_suffix(".new").replace(file)


class Blocks:
    """The pictures of one pass: maps, the rest of CLS, and which drawing shows which photo."""

    def __init__(self, folder: Path, file: Path) -> None:
        cache, state = Maps(folder), load_file(file)
        items = [cache.items[row] for row in rows_of(cache)]
        self.maps, self.rest = state["maps"], state["rest"]
        photo = {item["source"]: n for n, item in enumerate(items) if item["kind"] == "photo"}
        self.shown = [photo[item["about"]] for item in items]
        self.of: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for number, item in enumerate(items):
            self.of[item["sort"].removesuffix("-lines"), item["name"] or ""][item["kind"]].append(number)

    def draw(self, dice: np.random.Generator) -> tuple[list[int], Batch]:
        """Numbers of the pictures of one batch, and what ``paired`` needs to know about them."""
        rows: list[int] = []
        blocks: list[int] = []
        classes = sorted(name for name in self.of if name[0] == "sketchy")
        chosen = [classes[n] for n in dice.permutation(len(classes))[:CLASSES]]
        for block, name in enumerate([*chosen, ("contours", "")]):
            kinds = self.of[name]
            drawn = [kinds["sketch"][n] for n in dice.permutation(len(kinds["sketch"]))[:DRAWINGS]]
            photos = kinds["photo"] if name[1] else sorted({self.shown[n] for n in drawn})
            lines = [n for n in kinds["line"] if self.shown[n] in set(photos)]
            lines = [lines[n] for n in dice.permutation(len(lines))[:LINES]]
            more = [*photos, *drawn, *lines]
            rows += more
            blocks += [block] * len(more)
        place = {row: number for number, row in enumerate(rows)}
        shown = torch.tensor([place[self.shown[row]] for row in rows])
        none = torch.empty(0)
        photo = shown == torch.arange(len(rows))
        return rows, Batch(photo, torch.full_like(shown, -1), torch.tensor(blocks), shown, none, none)


def moved(maps: Tensor, dice: np.random.Generator) -> Tensor:
    """Each of the maps (n, channels, grid, grid) moved by up to a cell."""
    cells = np.arange(maps.shape[2])
    found = []
    for picture, by in zip(maps, dice.integers(-1, 2, (len(maps), 2)), strict=True):
        down, across = (np.clip(cells + step, 0, len(cells) - 1) for step in by)
        found.append(picture[:, down][:, :, across])
    return torch.stack(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("passes", type=Path, nargs="+")
    parser.add_argument("--steps", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    files = [options.run / f"layout-{folder.name}.safetensors" for folder in options.passes]
    missing = [
        (options.run, folder, file) for folder, file in zip(options.passes, files, strict=True) if not file.exists()
    ]
    with get_context("spawn").Pool(2) as pool:
        pool.starmap(write_maps, missing)
    torch.set_num_threads(2)
    known = [Blocks(folder, file) for folder, file in zip(options.passes, files, strict=True)]
    stem: Any = student_of(options.run, Maps(options.passes[0])).tower.stem
    layout: nn.Module = stem.layout.requires_grad_(True)
    scale = nn.Parameter(torch.tensor(3.2))
    groups = [{"params": list(layout.parameters()), "weight_decay": DECAY}, {"params": [scale], "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=RATE)
    averaged = {name: value.clone() for name, value in layout.state_dict().items()}
    mean = 0.0
    for step in range(options.steps):
        dice = np.random.default_rng(step)
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 20) * (0.5 + 0.5 * float(np.cos(np.pi * step / options.steps)))
        blocks = known[step % len(known)]
        rows, batch = blocks.draw(dice)
        with torch.autocast("cpu", torch.bfloat16):
            seen = layout(moved(blocks.maps[rows], dice).float()).float()
        rest = blocks.rest[rows]
        found = normalize(torch.cat((rest[:, :WHAT], rest[:, WHAT:] + seen), dim=1), dim=1)
        loss = paired(found, batch, scale, within=True)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        decay = min(AVERAGE, (step + 1) / (10 + step))
        for name, value in layout.state_dict().items():
            averaged[name].lerp_(value, 1 - decay)
        mean += loss.item() / 50
        if step % 50 == 49:
            print(json.dumps({"step": step + 1, "loss": round(mean, 3)}), flush=True)
            mean = 0.0
    file = options.run / "layout.safetensors"
    save_file({name: value.contiguous() for name, value in averaged.items()}, file.with_suffix(".new"))
    file.with_suffix(".new").replace(file)


if __name__ == "__main__":
    main()
