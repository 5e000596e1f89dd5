"""What each part is worth: short runs of equal length from the same start, each without one part.

    python pretraining/ablate.py DATA RUN --steps 40

Uses the maps that ``rebuild.py`` filled; runs that are done are left alone. Prints the tables of ``docs/lite.md``:
validation classes of ``sketchy`` with 95% intervals, the short runs at 160 px, then the final weights at other sides
and held back less and more.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import student as last
import torch
from early import FROZEN
from material import PHOTOS, SKETCHES, Opener, list_items
from quick import use_quick_convolutions
from rebuild import HERE, PROCESSES, SCHEDULE, do
from train_image import Maps, retrieval

from sketchseek.pictures import fit, normalise

START = "EfficientNet-Lite0 as it starts"
RUNS: dict[str, list[str]] = {
    START: [],
    "everything": [],
    "without the transformer": ["transformer"],
    "without distillation": ["distilled", "kept"],
    "without line drawings": ["lines"],
    "without QuickDraw (its words, drawings and photos)": ["quickdraw"],
    "without pairs within the class": ["within"],
    "without class names": ["named"],
    "without classes across photo and drawing": ["crossed"],
    "without keeping photos in place": ["kept"],
    "without any pairs": ["paired", "within"],
}
SIDES, HELD_BACK = (160, 192, 224), (0.0, 0.2, 0.35, 0.5)


def row(name: str, figures: dict[str, list[float]]) -> str:
    """A line of the table."""
    cells = [f"{mean} [{low}, {high}]" for mean, low, high in figures.values()]
    return f"| {name} | {' | '.join(cells)} |"


def short_runs(run: Path, steps: int) -> None:
    """The table of what is left out."""
    side, number, _ = SCHEDULE[0]
    for name, without in RUNS.items():
        until = 0 if name == START else steps
        folder = run / "ablations" / f"{until}-{'-'.join(without) or 'all'}"
        if not (folder / "figures.json").exists():
            flags = ["--without", *without] if without else []
            do(HERE / "train_image.py", run / "cache" / f"{side}-{number}", folder,
               "--until", until, "--steps", steps, *flags, together=PROCESSES)  # fmt: skip
        print(row(name, json.loads((folder / "figures.json").read_text())), flush=True)


def final_weights(data: Path, run: Path) -> None:
    """The table of sides, and of how far the weights are held back."""
    use_quick_convolutions()
    side, number, _ = SCHEDULE[-1]
    cache = Maps(run / "cache" / f"{side}-{number}")
    photos = [n for n, item in enumerate(cache.items) if item["kind"] == "photo" and cache.ready[n]]
    student = last.Student(json.loads((run / "names.json").read_text()), cache.features(photos[:2000]))
    rows = [n for n, item in enumerate(cache.items) if item["part"] == "val" and item["sort"] == "sketchy"]
    described, listed, opener = [cache.items[n] for n in rows], list_items(data), Opener(data)

    def figures_at(side: int) -> dict[str, list[float]]:
        pictures = [
            fit(opener(listed[n]), replace(PHOTOS if listed[n].kind == "photo" else SKETCHES, size=side)) for n in rows
        ]
        parts = []
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            for start in range(0, len(pictures), 32):
                pixels = torch.from_numpy(normalise(np.stack(pictures[start : start + 32]), PHOTOS))
                early = student.tower.stem.early(pixels.to(memory_format=torch.channels_last), FROZEN)
                parts.append(student(early))
        return retrieval(torch.cat(parts).numpy(), described)

    student.load_state_dict(last.trained(run), strict=False)
    for other in SIDES:
        print(row(f"final weights at {other} px", figures_at(other)), flush=True)
    for held_back in HELD_BACK:
        last.HELD_BACK = held_back
        student.load_state_dict(last.trained(run), strict=False)
        print(row(f"held back by {held_back}, at {side} px", figures_at(side)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    print("| run | mAP@all | acc@1 | acc@5 | photos to photos |\n|---|---|---|---|---|", flush=True)
    short_runs(options.run, options.steps)
    final_weights(options.data, options.run)


if __name__ == "__main__":
    main()
