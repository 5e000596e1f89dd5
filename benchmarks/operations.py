"""Operations of one triplet in the training of every method at ViT-B/32 size: hours on a GPU are estimated from them.

    python benchmarks/operations.py [--methods clip-at,splip] [--layers 12] [--classes 104]

Values of the preset ``paper``, random weights. torch counts the float operations of all matrix products in the forward
and backward pass of 2 and of 4 triplets; half the difference is what a triplet adds, without what a step does once.
Towers of 1 and of 2 layers are counted, with 8 and with 16 classes; every further layer adds as much as the second, and
every further class as much as each of the last eight. The count is the same on every machine.
"""

import argparse
from typing import cast

import torch
from torch.utils.flop_counter import FlopCounterMode
from training import RandomWords
from transformers import CLIPConfig

from sketchseek.clip.backbone import Backbone, build_clip
from sketchseek.clip.texts import TextTokenizer
from sketchseek.methods.method import Batch, Clock, Method, Setting
from sketchseek.methods.registry import METHODS, method_class
from sketchseek.pictures import Preprocessing
from sketchseek.training.presets import recipe_from_preset

FEW, MORE = 8, 16  # classes
SETTINGS: tuple[Setting, ...] = ("category", "fine-grained")


def build(name: str, setting: Setting, layers: int, classes: int) -> Method:
    """The method with the options of its paper on a CLIP of random weights."""
    depth = {"num_hidden_layers": layers}
    image, text = build_clip(CLIPConfig(vision_config=depth, text_config=depth))
    size = Preprocessing(size=224, fit="squash")
    backbone = Backbone(image, text, cast(TextTokenizer, RandomWords()), photos=size, sketches=size)
    options = recipe_from_preset(name, "paper", setting, "sketchy", {"data": ""}, "operations").options
    return method_class(name)(backbone, [f"class {number}" for number in range(classes)], setting, options)


def batch_of(triplets: int, setting: Setting, plan: str) -> Batch:
    """Noise: two sketches of each class, or all of one class where the method trains on one at a time."""
    sketches, positives, negatives = torch.randn(3, triplets, 3, 224, 224).unbind()
    rows = torch.arange(triplets)
    labels = torch.zeros_like(rows) if plan == "category-pure" else rows // 2
    others = labels if setting == "fine-grained" else labels + 1
    return Batch(sketches, positives, negatives, labels, others, rows, rows + triplets)


def operations(method: Method, setting: Setting, triplets: int) -> int:
    """Float operations of one step without the optimiser's."""
    batch = batch_of(triplets, setting, method.batch_plan().kind)
    with torch.no_grad():
        method.losses(batch, Clock(0, 0, 1))  # class texts are read once and kept
    with FlopCounterMode(display=False) as counter:
        torch.stack(list(method.losses(batch, Clock(0, 0, 1)).values())).sum().backward()  # type: ignore[no-untyped-call]
    return int(counter.get_total_flops())


def per_triplet(name: str, setting: Setting, layers: int, classes: int) -> float:
    """What a triplet adds to a step."""
    method = build(name, setting, layers, classes)
    two, four = (operations(method, setting, triplets) for triplets in (2, 4))
    return (four - two) / 2


def extrapolated(name: str, setting: Setting, layers: int, classes: int) -> float:
    """The same for large towers and many classes, whose activations would need more memory than a machine has."""

    def deep(some: int) -> float:
        one, two = (per_triplet(name, setting, few, some) for few in (1, 2))
        return one + (layers - 1) * (two - one)

    few, more = deep(FEW), deep(MORE)
    return few + (classes - FEW) * (more - few) / (MORE - FEW)


def main() -> None:
    parser = argparse.ArgumentParser(description="Operations of one triplet of every method.")
    parser.add_argument("--methods", type=lambda text: text.split(","), help="default: all that train")
    parser.add_argument("--layers", type=int, default=12, help="of both towers")
    parser.add_argument("--classes", type=int, default=104, help="seen classes")
    given = parser.parse_args()
    torch.manual_seed(0)
    print("| method | setting | TFLOP a triplet |\n|---|---|---|")
    for name in given.methods or [one for one in METHODS if one != "zero-shot"]:
        for setting in SETTINGS:
            total = extrapolated(name, setting, given.layers, given.classes)
            print(f"| {name} | {setting} | {total / 1e12:.4f} |", flush=True)


if __name__ == "__main__":
    main()
