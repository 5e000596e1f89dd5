"""A method: one linear layer on CLIP's embeddings, trained with triplets."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from sketchseek.losses.triplet import triplet_loss
from sketchseek.methods.method import Group, Method


@dataclass(frozen=True)
class MineOptions:
    margin: float = 0.2
    layer_lr: float = 1e-3


class Mine(Method):
    name = "mine"
    options_type = MineOptions
    presets: ClassVar = {"quick": {"epochs": 2, "category": {"margin": 0.3}}}

    def __init__(self, backbone, classes, setting, options):
        super().__init__(backbone, classes, setting, options)
        self.layer = nn.Linear(self.size, self.size)

    def head(self, whole):
        return whole + self.layer(whole)

    def encode(self, pixels, modality):
        return self.head(self.backbone.image(pixels))

    def losses(self, batch, clock):
        triplet = [self.encode(pictures, "photo") for pictures in (batch.sketches, batch.positives, batch.negatives)]
        return {"triplet": triplet_loss(*triplet, self.options.margin)}

    def groups(self):
        return [Group("layer", tuple(self.layer.parameters()), self.options.layer_lr)]
