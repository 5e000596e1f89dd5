"""Teach the head of lines, on the final stem, where a person would draw over a photo.

    python pretraining/train_outlines.py DATA RUN contours.pt --steps 300

The teacher is ``contours.py`` on the ImageNet network, with lines weighted by where its classifier sees the thing. So
the head learns both at once, without the classifier.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from contours import DRAWN, Tracer, taken
from material import PHOTOS, list_items
from safetensors.torch import save_file
from student import CONFIG, trained
from torch.nn.functional import adaptive_avg_pool2d, binary_cross_entropy_with_logits, interpolate

from sketchseek.clip.lines import Lines
from sketchseek.clip.lite import LiteStem
from sketchseek.outlines import SIDE
from sketchseek.pictures import fit, load_photo, normalise

BATCH, RATE, BACKGROUND = 12, 3e-3, 0.2  # of the lines beside the thing, how much is left
LINES = {"blocks": sorted(taken()), "thin": 8, "wide": 16}


def final_stem(run: Path) -> LiteStem:
    image = CONFIG["image"]
    stem = LiteStem(grid=image["side"] // 32, width=image["width"], layout=image["layout"], stem=image["stem"])
    prefix = "tower.stem."
    stem.load_state_dict({n.removeprefix(prefix): v for n, v in trained(run).items() if n.startswith(prefix)})
    return stem.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("contours", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    torch.manual_seed(0)
    dice = np.random.default_rng(0)
    teacher, stem = Tracer(options.contours), final_stem(options.run)
    head = Lines(
        stem, blocks=tuple(LINES["blocks"]), thin=LINES["thin"], wide=LINES["wide"], side=CONFIG["image"]["side"]
    )
    photos = [item.source for item in list_items(options.data) if item.kind == "photo" and item.part == "train"]
    optimiser = torch.optim.AdamW(head.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=options.steps, pct_start=0.1)
    mean = 0.0
    for step in range(options.steps):
        chosen = [load_photo(options.data / photos[number]) for number in dice.integers(len(photos), size=BATCH)]
        pictures = [fit(photo[:, ::-1] if dice.random() < 0.5 else photo, PHOTOS) for photo in chosen]
        lines, heat = (torch.from_numpy(found) for found in teacher(pictures))
        wide = interpolate(heat[:, None], size=lines.shape[-2:], mode="bicubic").clamp(0, 1)
        wanted = adaptive_avg_pool2d(lines[:, None] * (BACKGROUND + (1 - BACKGROUND) * wide), SIDE)[:, 0]
        pixels = torch.from_numpy(normalise(np.stack(pictures), PHOTOS)).to(memory_format=torch.channels_last)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            maps = head.maps(stem, pixels)
        with torch.autocast("cpu", torch.bfloat16):
            logits = head.logits(maps).float()
        loss = binary_cross_entropy_with_logits(logits, wanted, weight=1 + (DRAWN - 1) * wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        mean += loss.item() / 50
        if step % 50 == 49:
            print(json.dumps({"step": step + 1, "loss": round(mean, 4)}), flush=True)
            mean = 0.0
    save_file(
        {f"lines.{name}": value.contiguous() for name, value in head.state_dict().items()},
        options.run / "lines.safetensors",
    )


if __name__ == "__main__":
    main()
