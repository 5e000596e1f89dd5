"""Write the trained weights as the shipped folder: ``python pretraining/ship.py RUN src/sketchseek/models/lite``.

The model card (README.md) is written by hand and not changed.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from material import PHOTOS, SKETCHES
from safetensors.torch import load_file, save_file
from student import CONFIG, shipped
from train_outlines import LINES

ABOUT = "small backbone of our own, good at drawings: EfficientNet-Lite2 stem, 4 + 3 transformer layers"
LICENCE = "Apache-2.0 code and ImageNet stem; trained on research-only drawings"

# In training, drawings fill the page. A margin makes them as large as things are in photos and improves results; its
# size was chosen on validation classes.
MARGIN = 0.12


def main() -> None:
    run, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    found = shipped(run)
    state = {name.replace("tower.", "image.", 1): v for name, v in found.items() if name.startswith("tower.")}
    state |= {f"text.{name}": value for name, value in load_file(run / "text.safetensors").items()}
    state |= load_file(run / "lines.safetensors")
    state["logit_scale"] = found["scale"]
    save_file({name: value.half().contiguous() for name, value in state.items()}, folder / "model.new")
    records = {"photos": PHOTOS.to_json(), "sketches": replace(SKETCHES, margin=MARGIN).to_json()}
    config: dict[str, Any] = {**CONFIG, "about": ABOUT, "licence": LICENCE, "preprocessing": records, "lines": LINES}
    (folder / "model.new").chmod(0o644)
    (folder / "model.new").replace(folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    rules = json.loads((run / "tokenizer.json").read_text(encoding="utf-8"))
    (folder / "tokenizer.json").write_text(
        json.dumps(rules, separators=(",", ":"), ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
