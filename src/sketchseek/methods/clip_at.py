"""CLIP-AT (Sain et al., CVPR 2023): shallow prompts and trained LayerNorms on a frozen CLIP.

Category level: prompts v^s, v^p and LayerNorms l^s, l^p, one set for sketches and one for photos;
L = L_tri + lambda1 (L_cls^s + L_cls^p).
Fine-grained: one encoder with one shared prompt v; negatives are other photos of the sketch's class;
L = L_tri + lambda2 (L_cls^s + L_cls^p) + lambda3 L_delta + lambda4 L_PS.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from sketchseek.clip.adaptation import Adaptation, Norms
from sketchseek.clip.backbone import Backbone
from sketchseek.losses.patch_shuffle import patch_shuffle_loss
from sketchseek.losses.relative_distance import relative_distance_loss, relative_distances
from sketchseek.methods.class_texts import ClassTexts
from sketchseek.methods.gathering import gathered
from sketchseek.methods.left_trainable import embeddings_and_projection, queries_keys_values
from sketchseek.methods.method import Batch, BatchPlan, Clock, Group, Method, Modality, Setting
from sketchseek.methods.prompts import Prompts
from sketchseek.methods.tiles import draw_two_orders, shuffle_tiles
from sketchseek.methods.triplets import encode_all, triplet_and_class_losses


@dataclass(frozen=True)
class ClipAtOptions:
    """The paper's free choices; a comment marks what the paper does not specify."""

    prompts: int = 3  # K; 0: LayerNorms alone
    prompt_std: float = 1.0  # prompts start from N(0, std^2) (released code)
    # "paper": separate prompts and LayerNorms per modality at category level, one encoder for fine-grained;
    # "shared-norms": separate prompts, shared LayerNorms (released code); "one": one encoder.
    encoders: Literal["paper", "shared-norms", "one"] = "paper"
    train_norms: bool = True  # false: prompts alone
    forgotten: bool = False  # also train what the released code does not freeze, at norm_lr
    prompt_lr: float = 1e-4  # paper: 1e-5 for everything, which hardly moves prompts
    norm_lr: float = 1e-5
    margin: float = 0.3  # mu; released code: 0.2
    class_weight: float = 0.5  # lambda1, lambda2; released code: no such loss
    tau: float = 0.01  # not in the paper: CLIP's own
    template: str = "a photo of a {}"  # for sketches and photos alike
    delta_weight: float = 0.1  # lambda3
    delta_sorted: bool = True  # not in the paper: sort a category's deltas before comparing them
    delta_tau: float = 0.1  # of their softmax; 1 in the paper, where L_delta has almost no gradient
    shuffle_weight: float = 1.0  # lambda4
    shuffle_grid: int = 2  # n x n tiles
    shuffle_margin: float = 0.3  # mu_ps, not in the paper
    per_class: int = 8  # sketches of a class in a fine-grained batch, not in the paper; 64 of a batch make 8 classes


class ClipAt(Method):
    """``prompts.sketch`` is v^s, ``norms.photo`` is l^p; ``both`` is the set of a shared encoder."""

    name = "clip-at"
    options_type = ClipAtOptions
    options: ClipAtOptions

    def __init__(self, backbone: Backbone, classes: Sequence[str], setting: Setting, options: ClipAtOptions) -> None:
        super().__init__(backbone, classes, setting, options)
        self.one_encoder = options.encoders == "one" or (options.encoders == "paper" and setting == "fine-grained")
        self.one_set_of_norms = self.one_encoder or options.encoders == "shared-norms"
        image = backbone.image
        self.prompts = nn.ModuleDict(
            {
                owner: Prompts(options.prompts, image.width, std=options.prompt_std)
                for owner in _owners(self.one_encoder)
            }
        )
        owners = _owners(self.one_set_of_norms) if options.train_norms else ()
        self.norms = nn.ModuleDict({owner: Norms(image) for owner in owners})
        self.class_texts = ClassTexts(backbone, self.classes, options.template)
        for parameter in self._left_trainable():
            parameter.requires_grad_(True)

    def _left_trainable(self) -> tuple[nn.Parameter, ...]:
        image = self.backbone.image
        return (*embeddings_and_projection(image), *queries_keys_values(*image.stack)) if self.options.forgotten else ()

    def encode(self, pixels: Tensor, modality: Modality) -> Tensor:
        """f(x): CLIP with prompts appended before ``ln_pre``, read from CLS."""
        prompts = self.prompts["both" if self.one_encoder else modality]
        norms = self.norms["both" if self.one_set_of_norms else modality] if self.options.train_norms else None
        assert isinstance(prompts, Prompts)
        assert isinstance(norms, Norms | None)
        adaptation = Adaptation(prompts=prompts.by_layer(), place="end", before_pre_norm=True, norms=norms)
        embeddings: Tensor = self.backbone.image(pixels, adaptation)
        return embeddings

    def losses(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """L_tri and L_cls; for the fine-grained setting also L_delta and L_PS."""
        sketches, photos = [batch.sketches], [batch.positives, batch.negatives]
        if self.setting == "category":
            return self._common_losses(batch, *self._encode_all(sketches, photos))

        options = self.options
        if options.shuffle_weight:
            first, second = draw_two_orders(len(batch.sketches), options.shuffle_grid, torch.default_generator)
            sketches.append(shuffle_tiles(batch.sketches, first))
            photos += [shuffle_tiles(batch.positives, first), shuffle_tiles(batch.positives, second)]
        features = self._encode_all(sketches, photos)
        sketch, positive, negative = features[0], *features[len(sketches) : len(sketches) + 2]
        losses = self._common_losses(batch, sketch, positive, negative)
        if options.delta_weight:
            deltas = gathered(relative_distances(sketch, positive, negative))
            losses["delta"] = options.delta_weight * relative_distance_loss(
                deltas, gathered(batch.labels), options.delta_sorted, options.delta_tau
            )
        if options.shuffle_weight:
            sketch_1, photo_1, photo_2 = features[1], *features[-2:]
            losses["shuffle"] = options.shuffle_weight * patch_shuffle_loss(
                sketch_1, photo_1, photo_2, options.shuffle_margin
            )
        return losses

    def _encode_all(self, sketches: list[Tensor], photos: list[Tensor]) -> list[Tensor]:
        return encode_all(self.encode, sketches, photos, one_encoder=self.one_encoder)

    def _common_losses(self, batch: Batch, sketch: Tensor, positive: Tensor, negative: Tensor) -> dict[str, Tensor]:
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

    def groups(self) -> list[Group]:
        """Prompts; LayerNorms, with what the released code does not freeze if the option says so."""
        return [
            Group("prompts", tuple(self.prompts.parameters()), self.options.prompt_lr),
            Group("norms", (*self.norms.parameters(), *self._left_trainable()), self.options.norm_lr),
        ]

    def batch_plan(self) -> BatchPlan:
        """L_delta compares categories with the same number of triplets."""
        return BatchPlan("shuffled") if self.setting == "category" else BatchPlan("pk", self.options.per_class)


def _owners(shared: bool) -> tuple[str, ...]:
    return ("both",) if shared else ("sketch", "photo")
