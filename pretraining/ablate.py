"""Measure what each part contributes: short runs of equal length from the same start, each without one part.

    python pretraining/ablate.py DATA RUN --steps 40

Uses the maps that ``rebuild.py`` wrote. Finished runs are skipped; delete ``RUN/ablations`` to train them again. Prints
the tables of ``docs/notes/lite.md`` for the validation classes of ``sketchy``, with 95% intervals: the runs; their
differences to the complete run, per query; and the final weights with other picture sizes, margins around drawings,
distances from the initial weights, and weights of the layout.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from early import FROZEN
from evaluate import interval
from material import PHOTOS, SKETCHES, Opener, list_items
from quick import use_quick_convolutions
from rebuild import HERE, PROCESSES, SIDE, do
from ship import MARGIN
from student import SEEDS, Student, held_back_weights, shipped, trained
from torch.nn.functional import normalize
from train_image import Maps, found_by, retrieval

from sketchseek.parallel import batches
from sketchseek.pictures import fit, normalise

START = "the ImageNet network as it starts"
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
    "without any pairs": ["paired", "within"],
}
HEAD = "| {} | mAP@all | acc@1 | acc@5 | photos to photos |\n|---|---|---|---|---|"
SIDES, MARGINS = (160, 192), (0.05, 0.2)
HELD_BACKS, LAYOUTS = (0.0, 0.1, 0.3, 0.5), (0.0, 0.4, 1.0)


def row(name: str, figures: dict[str, list[float]]) -> str:
    """A row of a table."""
    cells = [f"{mean} [{low}, {high}]" for mean, low, high in figures.values()]
    return f"| {name} | {' | '.join(cells)} |"


def short_runs(run: Path, steps: int) -> None:
    """The table of short runs, each without one part."""
    filled = run / "cache" / f"{SIDE}-{SEEDS[0]}"
    for name, without in RUNS.items():
        until = 0 if name == START else steps
        folder = run / "ablations" / f"{until}-{'-'.join(without) or 'all'}"
        if not (folder / "figures.json").exists():
            flags = ["--without", *without] if without else []
            do(HERE / "train_image.py", folder, filled, "--steps", until, *flags, together=PROCESSES)
        figures = json.loads((folder / "figures.json").read_text())
        if name == START:  # its layout is still random
            print(row(name, figures["as it ships, no layout"]), flush=True)
            continue
        print(row(name, figures["as it ships"]), flush=True)
        if name == "everything":
            print(row("the same vectors without the layout", figures["as it ships, no layout"]), flush=True)
            print(row("the same weights not held back", figures["not held back"]), flush=True)


def validation(run: Path) -> tuple[Maps, list[int], Student]:
    """A filled pass, its rows of validation classes, and a student whose weights are replaced later."""
    use_quick_convolutions()
    cache = Maps(run / "cache" / f"{SIDE}-0")
    photos = [n for n, item in enumerate(cache.items) if item["kind"] == "photo" and cache.ready[n]]
    names = json.loads((run / "ablations" / "0-all" / "names.json").read_text())
    rows = [n for n, item in enumerate(cache.items) if item["part"] == "val" and item["sort"] == "sketchy"]
    return cache, rows, Student(names, cache.features(photos[:2000]))


def differences(run: Path, steps: int) -> None:
    """The table of each short run minus "everything", per query, on the same resamples of photos."""
    cache, rows, student = validation(run)
    base: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name, without in RUNS.items():
        if name == START:
            continue
        folder = run / "ablations" / f"{steps}-{'-'.join(without) or 'all'}"
        student.load_state_dict(held_back_weights([folder]), strict=False)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            parts = [normalize(student(cache.read(batch)), dim=1) for _, batch in batches(rows, 32)]
        found = found_by(torch.cat(parts).numpy(), [cache.items[n] for n in rows])
        base = base or found
        change = {what: interval(values - base[what][0], photos) for what, (values, photos) in found.items()}
        if found is not base:
            cells = [f"{cell['mean']:+} [{cell['low']:+}, {cell['high']:+}]" for cell in change.values()]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def final_weights(data: Path, run: Path) -> None:
    """The table of picture sizes, margins, distances from the initial weights and weights of the layout."""
    cache, rows, student = validation(run)
    described, listed, opener = [cache.items[n] for n in rows], list_items(data), Opener(data)

    def figures_at(side: int, margin: float = MARGIN) -> dict[str, list[float]]:
        records = {"photo": replace(PHOTOS, size=side), "sketch": replace(SKETCHES, size=side, margin=margin)}
        pictures = [fit(opener(listed[n]), records[listed[n].kind]) for n in rows]
        parts = []
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            for _, batch in batches(pictures, 32):
                pixels = torch.from_numpy(normalise(np.stack(batch), PHOTOS))
                early = student.tower.stem.early(pixels.to(memory_format=torch.channels_last), FROZEN)
                parts.append(normalize(student(early), dim=1))
        return retrieval(torch.cat(parts).numpy(), described)

    student.load_state_dict(shipped(run), strict=False)
    for side in (SIDE, *SIDES):
        print(row("as they ship" if side == SIDE else f"at {side} px", figures_at(side)), flush=True)
    for margin in MARGINS:
        print(row(f"a margin of {margin} around drawings", figures_at(SIDE, margin)), flush=True)
    student.load_state_dict(trained(run), strict=False)
    print(row("without training the layout further", figures_at(SIDE)), flush=True)
    for seed in SEEDS:
        student.load_state_dict(trained(run, seeds=[seed]), strict=False)
        print(row(f"of seed {seed} alone, the layout not trained further", figures_at(SIDE)), flush=True)
    for held_back in HELD_BACKS:
        student.load_state_dict(trained(run, held_back), strict=False)
        print(row(f"held back by {held_back}", figures_at(SIDE)), flush=True)
    for layout in LAYOUTS:
        student.load_state_dict(shipped(run, layout=layout), strict=False)
        print(row(f"layout counts {layout}", figures_at(SIDE)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    print(HEAD.format("short run"), flush=True)
    short_runs(options.run, options.steps)
    print("\n" + HEAD.format("less everything"), flush=True)
    differences(options.run, options.steps)
    print("\n" + HEAD.format("final weights"), flush=True)
    final_weights(options.data, options.run)


if __name__ == "__main__":
    main()
