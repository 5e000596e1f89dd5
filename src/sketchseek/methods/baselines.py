"""Baselines of the papers' tables that learn no prompts: zero-shot CLIP, linear probe (B-Lin), full fine-tune (B-FT).

The tables only name them, so their details are our definition. All baselines train with the losses of CLIP-AT's
category model, L_tri + lambda (L_cls^s + L_cls^p), in both settings; fine-grained negatives are other photos of the
sketch's class.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sketchseek.clip.backbone import Backbone
from sketchseek.methods.class_texts import ClassTexts
from sketchseek.methods.method import Batch, Clock, Group, Method, Modality, Setting
from sketchseek.methods.triplets import encode_all, triplet_and_class_losses


@dataclass(frozen=True)
class BaselineOptions:
    """Options of all trained baselines: CLIP-AT's losses."""

    margin: float = 0.3  # mu
    class_weight: float = 0.5  # lambda
    tau: float = 0.01
    template: str = "a photo of a {}"


class Baseline(Method):
    """One or two encoders, defined by a subclass, trained with triplets and class names."""

    options: BaselineOptions
    one_encoder = True  # sketches and photos are encoded alike

    def __init__(self, backbone: Backbone, classes: Sequence[str], setting: Setting, options: BaselineOptions) -> None:
        super().__init__(backbone, classes, setting, options)
        self.frozen_class_texts = ClassTexts(backbone, self.classes, options.template)

    def class_texts(self) -> Tensor:
        """f_t^j, shape (classes, size)."""
        return self.frozen_class_texts()

    def losses(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """L_tri and L_cls."""
        sketch, positive, negative = encode_all(
            self.encode, [batch.sketches], [batch.positives, batch.negatives], one_encoder=self.one_encoder
        )
        return triplet_and_class_losses(
            sketch,
            positive,
            negative,
            batch,
            self.class_texts() if self.options.class_weight else None,
            margin=self.options.margin,
            class_weight=self.options.class_weight,
            tau=self.options.tau,
        )

    @abstractmethod
    def groups(self) -> list[Group]:
        """The trained parameters."""


class ZeroShot(Baseline):
    """CLIP as published; nothing is trained."""

    name = "zero-shot"
    options_type = BaselineOptions

    def encode(self, pixels: Tensor, modality: Modality) -> Tensor:
        """CLIP's image tower."""
        embeddings: Tensor = self.backbone.image(pixels)
        return embeddings

    def groups(self) -> list[Group]:
        """Nothing."""
        return []


@dataclass(frozen=True)
class LinearProbeOptions(BaselineOptions):
    """One linear layer."""

    probe_lr: float = 1e-4


class LinearProbe(Baseline):
    """B-Lin: one linear layer on CLIP's frozen embeddings of sketches and photos; it starts as the identity."""

    name = "linear-probe"
    options_type = LinearProbeOptions
    options: LinearProbeOptions

    def __init__(
        self, backbone: Backbone, classes: Sequence[str], setting: Setting, options: LinearProbeOptions
    ) -> None:
        super().__init__(backbone, classes, setting, options)
        self.probe = nn.Linear(backbone.size, backbone.size)
        nn.init.eye_(self.probe.weight)
        nn.init.zeros_(self.probe.bias)

    def encode(self, pixels: Tensor, modality: Modality) -> Tensor:
        """The probe on CLIP's embedding."""
        with torch.no_grad():
            frozen = self.backbone.image(pixels)
        return self.head(frozen)

    def head(self, plain: Tensor) -> Tensor:
        """The probe."""
        embeddings: Tensor = self.probe(plain)
        return embeddings

    def groups(self) -> list[Group]:
        """The linear layer."""
        return [Group("probe", tuple(self.probe.parameters()), self.options.probe_lr)]


@dataclass(frozen=True)
class FullFineTuneOptions(BaselineOptions):
    """The whole image tower."""

    tower_lr: float = 1e-5  # CLIP-AT's rate; the paper's B-FT collapses


class FullFineTune(Baseline):
    """B-FT: train the whole image tower, one for sketches and photos; the text tower stays frozen."""

    name = "full-fine-tune"
    options_type = FullFineTuneOptions
    options: FullFineTuneOptions

    def __init__(
        self, backbone: Backbone, classes: Sequence[str], setting: Setting, options: FullFineTuneOptions
    ) -> None:
        super().__init__(backbone, classes, setting, options)
        backbone.image.requires_grad_(True)

    def encode(self, pixels: Tensor, modality: Modality) -> Tensor:
        """The image tower, no longer CLIP's."""
        embeddings: Tensor = self.backbone.image(pixels)
        return embeddings

    def groups(self) -> list[Group]:
        """The image tower."""
        return [Group("tower", tuple(self.backbone.image.parameters()), self.options.tower_lr)]
