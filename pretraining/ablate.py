"""What each part is worth: short runs of equal length from the same start, each without one part.

    python pretraining/ablate.py RUN --steps 150

Uses the maps that ``rebuild.py`` filled; runs that are done are left alone. Prints the table of ``docs/lite.md``:
validation classes of ``sketchy`` at 160 px, from cached maps, with 95% intervals.
"""

import argparse
import json
from pathlib import Path

from rebuild import HERE, PROCESSES, SCHEDULE, do

START = "EfficientNet-Lite0 as it starts"
RUNS: dict[str, list[str]] = {
    START: [],
    "everything": [],
    "without the transformer": ["transformer"],
    "without distillation": ["distilled"],
    "without keeping photos in place": ["kept"],
    "without either": ["distilled", "kept"],
    "without line drawings": ["lines"],
    "without QuickDraw (words, drawings, photos)": ["quickdraw"],
    "without class names": ["named"],
    "without pairs": ["paired", "within"],
    "without pairs within the class": ["within"],
    "without classes across photo and drawing": ["crossed"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--steps", type=int, default=150)
    options = parser.parse_args()
    side, number, _ = SCHEDULE[0]
    print("| run | mAP@all | acc@1 | acc@5 | photos to photos |\n|---|---|---|---|---|")
    for name, without in RUNS.items():
        steps = 0 if name == START else options.steps
        folder = options.run / "ablations" / f"{steps}-{'-'.join(without) or 'all'}"
        figures = folder / "figures.json"
        if not figures.exists():
            flags = ["--without", *without] if without else []
            do(HERE / "train_image.py", options.run / "cache" / f"{side}-{number}", folder,
               "--until", steps, "--steps", options.steps, *flags, together=PROCESSES)  # fmt: skip
        found = json.loads(figures.read_text())
        cells = [f"{mean} [{low}, {high}]" for mean, low, high in found.values()]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
