"""A dataset, a backbone and a method small enough to train in a second."""

import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cosine_similarity

from sketchseek.methods.method import Augmentation, Batch, BatchPlan, Clock, Group, Method, Modality
from sketchseek.pictures.preprocessing import Preprocessing

SIDE = 16
TRAIN = ("ant", "bee", "cat", "dog")
VAL = ("emu", "fox")
UNSEEN = ("gnu",)
PHOTOS = 6  # of a class


def write_data(root: Path, classes: Sequence[str] = (*TRAIN, *VAL, *UNSEEN), photos: int = PHOTOS) -> Path:
    """A class is a shape, a photo of it a place and a colour; every photo is drawn twice."""
    for number, name in enumerate(classes):
        (root / "photo" / name).mkdir(parents=True)
        (root / "sketch" / name).mkdir(parents=True)
        for one in range(photos):
            lottery = random.Random(f"{name}{one}")
            box = [
                lottery.randrange(0, 5),
                lottery.randrange(0, 5),
                lottery.randrange(12, 19),
                lottery.randrange(12, 19),
            ]
            photo = Image.new("RGB", (20, 20), tuple(lottery.randrange(60, 200) for _ in range(3)))
            shape(ImageDraw.Draw(photo), number, box, "black")
            photo.save(root / "photo" / name / f"p{one}.png")
            for drawer in (1, 2):
                sketch = Image.new("RGB", (20, 20), "white")
                shape(ImageDraw.Draw(sketch), number, [side + drawer - 1 for side in box], "black")
                sketch.save(root / "sketch" / name / f"p{one}-{drawer}.png")
    groups = {"train": TRAIN, "val": VAL, "unseen": UNSEEN}
    here = {group: [name for name in names if name in classes] for group, names in groups.items()}
    (root / "splits.json").write_text(json.dumps(here))
    return root


def shape(draw: ImageDraw.ImageDraw, number: int, box: list[int], colour: str) -> None:
    left, top, right, bottom = box
    lines = [
        (left, top, right, bottom),
        (left, bottom, right, top),
        (left, top, right, top),
        (left, bottom, right, bottom),
        (left, top, left, bottom),
        (right, top, right, bottom),
        (left, (top + bottom) // 2, right, (top + bottom) // 2),
    ]
    for line in (lines[number % 7], lines[(number + 2) % 7]):
        draw.line(line, fill=colour, width=2)


class ToyTower(nn.Module):
    checkpointing = False


class ToyBackbone(nn.Module):
    """Grey values, shrunk, times a fixed random matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.text = ToyTower(), ToyTower()
        generator = torch.Generator().manual_seed(5)
        self.mix = nn.Parameter(torch.randn(64, 32, generator=generator) / 8)
        self.photos = Preprocessing(size=SIDE)
        self.sketches = Preprocessing(size=SIDE, fill=(255, 255, 255))
        self.size = 32

    def forward(self, pixels: Tensor) -> Tensor:
        return avg_pool2d(pixels.mean(1, keepdim=True), SIDE // 8).flatten(1) @ self.mix


@dataclass(frozen=True)
class ToyOptions:
    margin: float = 0.2
    toy_lr: float = 1e-2
    dropout: float = 0.1
    plan: str = "shuffled"
    per_class: int = 2
    augment: bool = True
    pause: float = 0.0  # seconds a step takes at least
    fault: str = ""  # "nan 3", "memory 3": what goes wrong in which step


class Toy(Method):
    """A linear layer on the backbone. It uses every source of randomness and has a running mean, as methods may."""

    name = "toy"
    settings = ("category", "fine-grained")
    options_type = ToyOptions
    options: ToyOptions

    def __init__(self, backbone: Any, classes: Sequence[str], setting: Any, options: ToyOptions) -> None:
        super().__init__(backbone, classes, setting, options)
        self.linear = nn.Linear(32, 32)
        self.norm = nn.LayerNorm(32)
        self.drop = nn.Dropout(options.dropout)
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(32))

    def encode(self, pixels: Tensor, modality: Modality) -> Tensor:
        hidden: Tensor = self.linear(self.norm(self.backbone(pixels)))
        return hidden

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        return torch.stack([self.linear.weight[len(text) % 32] for text in texts])

    def losses(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        time.sleep(self.options.pause)
        kind, _, step = self.options.fault.partition(" ")
        if kind == "memory" and clock.step == int(step):
            raise torch.OutOfMemoryError("tried to allocate too much")
        sketches = self.drop(self.encode(batch.sketches, "sketch"))
        positives, negatives = (
            self.drop(self.encode(photos, "photo")) for photos in (batch.positives, batch.negatives)
        )
        with torch.no_grad():
            self.mean.lerp_(sketches.mean(0), 0.1)
        noise = self.options.dropout * (random.random() + float(np.random.rand()))
        near, far = cosine_similarity(sketches, positives), cosine_similarity(sketches, negatives)
        triplet = (self.options.margin + noise + far - near).relu().mean()
        if kind == "nan" and clock.step == int(step):
            triplet = triplet * float("nan")
        return {"triplet": triplet, "size": 1e-3 * sketches.square().mean()}

    def groups(self) -> list[Group]:
        rate = self.options.toy_lr
        return [
            Group("linear", tuple(self.linear.parameters()), rate),
            Group("norm", tuple(self.norm.parameters()), rate / 10),
        ]

    def batch_plan(self) -> BatchPlan:
        return BatchPlan(self.options.plan, self.options.per_class)  # type: ignore[arg-type]

    def augmentation(self) -> Augmentation:
        return Augmentation(0.5, 0.5, 0.5) if self.options.augment else Augmentation()


def use_toys() -> None:
    """Let this process know the toys by name; for processes that no monkeypatch reaches."""
    from sketchseek.methods import registry
    from sketchseek.training import backbones

    registry.METHODS["toy"] = f"{__name__}:Toy"
    backbones.load_backbone = lambda name, **_: ToyBackbone()  # type: ignore[assignment, attr-defined]
    torch.set_num_threads(1)
