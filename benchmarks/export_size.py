"""What a trained run adds on disk: a CLIP-AT run on a CLIP of random weights, exported, beside its base.

    python benchmarks/export_size.py [--model b32]

Whole folders are counted: weights, graphs, tokenizer and golden vectors. The base is the model folder of the published
weights, in 16 bits as the export.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from clip_models import SHAPES, megabytes, random_model, write_weights

from sketchseek.clip.weights import load_backbone
from sketchseek.engine.convert import convert
from sketchseek.export import export
from sketchseek.methods.registry import method_class
from sketchseek.training import files
from sketchseek.training.backbones import weights_identity
from sketchseek.training.checkpoint import AdapterFacts, Best, save_adapter
from sketchseek.training.recipe import Recipe

CLASSES = tuple(f"class {number}" for number in range(104))  # as many as Sketchy trains on


def write_run(folder: Path, backbone: Path) -> Path:
    """A run folder of CLIP-AT away from its start, so that nothing of it equals its base."""
    loaded = load_backbone(backbone)
    kind = method_class("clip-at")
    method = kind(loaded, CLASSES, "category", kind.options_type())
    with torch.no_grad():
        for group in method.groups():
            for parameter in group.parameters:
                parameter.add_(0.05 * torch.randn_like(parameter))
    folder.mkdir()
    recipe = Recipe(method="clip-at", data="x", options=method.options, backbone=str(backbone), setting="category")
    (folder / files.RECIPE).write_text(recipe.to_toml())
    facts = AdapterFacts(weights_identity(loaded), CLASSES, Best(1, None, {}))
    save_adapter(folder / files.ADAPTER, method.adapter(), facts)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description="What a trained run adds on disk.")
    parser.add_argument("--model", default="b32", choices=[name for name in SHAPES if not name.startswith("siglip")])
    name = parser.parse_args().model
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        weights = write_weights(name, random_model(name), place / "weights")
        convert(weights, place / "base", name="base", about="", licence="")
        run = write_run(place / "run", weights)
        export(run, place / "export")
        sizes = {one: megabytes(place / one) for one in ("weights", "base", "run", "export")}
    print("  ".join(f"{one} {size:.1f} MB" for one, size in sizes.items()))
    print(f"the export has {sizes['export'] / sizes['base']:.3f} times the size of its base")


if __name__ == "__main__":
    main()
