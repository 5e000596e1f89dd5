"""DP-CLIP (Gao et al., arXiv 2404.18695): a CLIP adapted to each category by a few pictures of it and by its name.

Fine-grained, the category is known: support pictures become prompts p_m of every layer (visual prompting module), the
name scales side-way branches (textual prompting module), four windows are matched beside the whole picture (patch-level
matching module). L = (1 - w) L_ordinary + w L_hard, each on f_g + 0.1 sum_i f_l^i; w grows with the epochs.

Category level, the category is unknown and the paper's procedure is not published; ours: the base prompts without
support pictures, branches without scales (or scaled by the mean text of the seen classes, or a sketch's by the text of
the class it is predicted to be of), negatives of other classes, and CLIP-AT's classification loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from sketchseek.clip.adaptation import Adaptation, Norms
from sketchseek.clip.backbone import Backbone
from sketchseek.clip.layers import Branch
from sketchseek.errors import SketchseekError
from sketchseek.losses.batch_hard import batch_hard_loss
from sketchseek.losses.classification import classification_loss
from sketchseek.losses.curriculum import curriculum_loss, global_and_local_loss, hard_weight
from sketchseek.losses.distances import unit
from sketchseek.losses.triplet import triplet_loss
from sketchseek.methods.class_texts import ClassTexts, template_mean
from sketchseek.methods.left_trainable import forgotten, forgotten_attention
from sketchseek.methods.method import (
    Augmentation,
    Batch,
    BatchPlan,
    Clock,
    EncodeFunction,
    Group,
    Method,
    Modality,
    Setting,
)
from sketchseek.methods.side_branch import SideBranch, TextScales
from sketchseek.methods.support_prompts import BasePrompts, SupportReader
from sketchseek.methods.templates import SINGLE, TEMPLATES
from sketchseek.methods.windows import NUMBER, LocalHead


@dataclass(frozen=True)
class DpClipOptions:
    """The paper's free choices; unless marked otherwise the released code's."""

    prompts: int = 3  # per layer
    prompt_dropout: float = 0.1
    support_sketches: int = 1
    support_photos: int = 2
    rank: int = 16  # r; 768 is the best of the paper's appendix
    attention_factor: float | None = None  # none: 1 / rank; the released code has 0.0625 at every rank
    texts: Literal["ensemble", "single"] = "ensemble"  # t: mean of 63 templates (released code), one (paper's figure)
    window: int = 5  # patches a side
    margin: float = 0.15
    local_weight: float = 0.1  # of each window in the losses
    local_share: float = 0.2  # of each window in the distance that ranks
    hard_every: int = 10  # epochs between two steps of w
    hard_clip: bool = True  # w stops at 1; the released code goes on to 1.25
    forgotten: bool = False  # train also what the released code forgets to freeze
    module_lr: float = 1e-5  # of prompts, branches, scales and windows
    norm_lr: float = 1e-6  # of the tower's LayerNorms
    flip: float = 0.5
    rotate: float = 0.5
    grayscale: float = 0.5
    # Category level alone, ours. What scales the branches: nothing, the seen classes' mean text, or for a sketch the
    # text of the seen class that zero-shot CLIP takes it for (for photos the mean).
    unknown_text: Literal["none", "mean", "predicted"] = "none"
    class_weight: float = 0.5
    tau: float = 0.01
    template: str = "a photo of a {}"


@dataclass(frozen=True)
class Conditions:
    """What a category makes of the image tower: p_m and the scaled branches of each layer."""

    prompts: dict[int, Tensor]
    branches: dict[int, Branch]


class DpClip(Method):
    """Embeddings hold f_g and the four f_l^i, so that their cosine ranks as the paper's fused distance does."""

    name = "dp-clip"
    settings = ("category", "fine-grained")
    options_type = DpClipOptions
    options: DpClipOptions

    def __init__(self, backbone: Backbone, classes: Sequence[str], setting: Setting, options: DpClipOptions) -> None:
        super().__init__(backbone, classes, setting, options)
        image = backbone.image
        self.knows_category = setting == "fine-grained"
        self.norms = Norms(image)
        self.base_prompts = BasePrompts(image, options.prompts, options.prompt_dropout)
        self.support_reader = SupportReader(image) if self.knows_category else None
        self.branches = nn.ModuleList(
            SideBranch(image.width, options.rank, options.attention_factor) for _ in range(image.depth)
        )
        has_text = self.knows_category or options.unknown_text != "none"
        self.scales = nn.ModuleList(
            TextScales(backbone.text.size, options.rank) for _ in range(image.depth if has_text else 0)
        )
        self.local = LocalHead(image, options.window)
        self.class_texts = ClassTexts(backbone, self.classes, options.template)
        self._category_texts: dict[str, Tensor] = {}
        for parameter in (*self._forgotten_in_tower(), *self._forgotten_in_windows()):
            parameter.requires_grad_(True)

    def _forgotten_in_tower(self) -> tuple[nn.Parameter, ...]:
        return forgotten(self.backbone.image) if self.options.forgotten else ()

    def _forgotten_in_windows(self) -> tuple[nn.Parameter, ...]:
        return forgotten_attention(self.local.layer) if self.options.forgotten else ()

    @property
    def size(self) -> int:
        """Width of an embedding: the whole picture and four windows."""
        return (1 + NUMBER) * self.backbone.size

    def support(self) -> tuple[int, int] | None:
        """Sketches and photos of the category, where it is known."""
        return (self.options.support_sketches, self.options.support_photos) if self.knows_category else None

    def category_text(self, category: str) -> Tensor:
        """t: the category's name in the frozen text tower, shape (size,); computed once a category."""
        if category not in self._category_texts:
            templates = TEMPLATES if self.options.texts == "ensemble" else SINGLE
            self._category_texts[category] = template_mean(self.backbone, category, templates)
        weights = self.backbone.logit_scale
        return self._category_texts[category].to(weights.device, weights.dtype)

    def conditions(self, category: str, support: Tensor) -> Conditions:
        """Of a known category: ``support`` holds its pictures' tokens before ``pre_norm``, shape (m, n, width)."""
        assert self.support_reader is not None
        return self._conditions(self.support_reader(self.base_prompts(), support), self.category_text(category))

    def common_conditions(self, sketches: Tensor | None = None) -> Conditions:
        """Of no category in particular; of ``sketches``, tokens before ``pre_norm``, the classes may be predicted."""
        text = None
        if len(self.scales):
            texts = torch.stack([self.category_text(category) for category in self.classes])
            if sketches is None or self.options.unknown_text != "predicted":
                text = texts.mean(dim=0)
            else:
                text = texts[self.predicted(sketches)].unsqueeze(1)
        return self._conditions(self.base_prompts(), text)

    def predicted(self, tokens: Tensor) -> Tensor:
        """The seen class that zero-shot CLIP takes each picture for, shape (n,), from tokens before ``pre_norm``."""
        with torch.no_grad():
            plain = self.backbone.image.run(tokens).embedding
            return (unit(plain) @ unit(self.class_texts()).T).argmax(dim=1)

    def _conditions(self, prompts: Tensor, text: Tensor | None) -> Conditions:
        # One text for all pictures, shape (size,), or one for each, shape (n, 1, size).
        branches = {}
        for layer, branch in enumerate(self.branches):
            assert isinstance(branch, SideBranch)
            branches[layer] = branch.beside() if text is None else branch.beside(*self.scales[layer](text))
        return Conditions(dict(enumerate(prompts.unbind())), branches)

    def features(self, tokens: Tensor, conditions: Conditions) -> list[Tensor]:
        """f_g, f_l^1, ..., f_l^4, each of shape (n, backbone's size), from tokens before ``pre_norm``."""
        image = self.backbone.image
        last = image.depth - 1
        adaptation = Adaptation(
            prompts=conditions.prompts,
            place="end",
            before_pre_norm=True,
            norms=self.norms,
            branches=conditions.branches,
        )
        run = image.run(tokens, adaptation, keep=(last,))
        return [run.embedding, *self.local(run.tokens[last]).unbind(dim=1)]

    def fuse(self, features: Sequence[Tensor]) -> Tensor:
        """One vector (n, size), each part brought to length 1 and weighted.

        Its cosine c gives the fused distance d_global + 0.2 sum_i d_local_i = 1.8 (1 - c), d = 1 - cos.
        """
        whole, *windows = map(unit, features)
        return torch.cat((whole, *(self.options.local_share**0.5 * window for window in windows)), dim=1)

    def encode(self, pixels: Tensor, modality: Modality) -> Tensor:
        """Pictures of any category; the fine-grained model must know it, see ``for_category``."""
        if self.knows_category:
            raise SketchseekError(
                "a fine-grained dp-clip encodes pictures of a known category alone: give it the category's name and"
                " support pictures, or train the category setting"
            )
        tokens = self.backbone.image.embed(pixels)
        return self.fuse(self.features(tokens, self.common_conditions(tokens if modality == "sketch" else None)))

    def for_category(self, name: str, sketches: Tensor, photos: Tensor) -> EncodeFunction:
        """``encode`` for pictures of one category, sketches and photos alike."""
        if not self.knows_category:
            return self.encode
        support = torch.cat((sketches, photos))
        if not len(support):
            raise SketchseekError(f"dp-clip needs one support picture of {name!r} at least, a sketch or a photo")
        conditions = self.conditions(name, self.backbone.image.embed(support))

        def encode(pixels: Tensor, modality: Modality) -> Tensor:  # noqa: ARG001 - both are encoded alike
            return self.fuse(self.features(self.backbone.image.embed(pixels), conditions))

        return encode

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """CLIP's own, to be compared with the whole picture: they say nothing about the windows."""
        return self._whole_alone(super().encode_texts(texts))

    def head(self, whole: Tensor) -> Tensor:
        """The whole picture's part; nothing about the windows."""
        return self._whole_alone(unit(whole))

    def _whole_alone(self, whole: Tensor) -> Tensor:
        return torch.cat((whole, whole.new_zeros(whole.shape[0], self.size - whole.shape[1])), dim=1)

    def losses(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """(1 - w) L_ordinary and w L_hard; at category level also L_cls."""
        n, weight = len(batch.sketches), hard_weight(clock.epoch, self.options.hard_every, self.options.hard_clip)
        pictures = [batch.sketches, batch.positives]
        if weight < 1:  # later on no loss asks for them
            pictures.append(batch.negatives)
        tokens = self.backbone.image.embed(torch.cat(pictures))
        parts = [torch.split(part, n) for part in self._training_features(batch, tokens)]

        ordinary, hard = [], []
        for sketch, positive, *negative in parts:
            ordinary += [triplet_loss(sketch, positive, wrong, self.options.margin) for wrong in negative]
            others = batch.instances if self.knows_category else batch.labels
            hard.append(batch_hard_loss(sketch, positive, others, self.options.margin))
        nothing = tokens.new_zeros(())
        l_ordinary = self._all_parts(ordinary) if ordinary else nothing
        losses = {
            "ordinary": curriculum_loss(l_ordinary, nothing, weight),
            "hard": curriculum_loss(nothing, self._all_parts(hard), weight),
        }
        if not self.knows_category and self.options.class_weight:
            sketch, positive, *_ = parts[0]
            of_class = [
                classification_loss(features, self.class_texts(), batch.labels, self.options.tau)
                for features in (sketch, positive)
            ]
            losses["class"] = self.options.class_weight * (of_class[0] + of_class[1])
        return losses

    def _training_features(self, batch: Batch, tokens: Tensor) -> list[Tensor]:
        """Features of the batch's sketches and photos, in one pass where all have the same conditions."""
        if self.knows_category:
            return self.features(tokens, self._training_conditions(batch, tokens))
        if self.options.unknown_text != "predicted":
            return self.features(tokens, self.common_conditions())
        sketches, photos = torch.tensor_split(tokens, [len(batch.sketches)])
        of_sketches = self.features(sketches, self.common_conditions(sketches))
        of_photos = self.features(photos, self.common_conditions())
        return [torch.cat(pair) for pair in zip(of_sketches, of_photos, strict=True)]

    def _all_parts(self, losses: list[Tensor]) -> Tensor:
        return global_and_local_loss(losses[0], losses[1:], self.options.local_weight)

    def _training_conditions(self, batch: Batch, tokens: Tensor) -> Conditions:
        """The batch's category; its support pictures are drawn from the batch."""
        n, label = len(batch.sketches), int(batch.labels[0])
        if not (batch.labels == label).all():
            raise ValueError("a fine-grained batch of dp-clip holds one category")
        sketches = torch.randint(n, (self.options.support_sketches,))
        photos = n + torch.randint(n, (self.options.support_photos,))
        return self.conditions(self.classes[label], tokens[torch.cat((sketches, photos)).to(tokens.device)])

    def groups(self) -> list[Group]:
        """The three modules; the tower's LayerNorms with what the released code forgets to freeze, if asked for."""
        modules = (self.base_prompts, self.support_reader, self.branches, self.scales, self.local)
        trained = [p for module in modules if module is not None for p in module.parameters() if p.requires_grad]
        return [
            Group("modules", tuple(trained), self.options.module_lr),
            Group("norms", (*self.norms.parameters(), *self._forgotten_in_tower()), self.options.norm_lr),
        ]

    def batch_plan(self) -> BatchPlan:
        """One category a batch, where it is known."""
        return BatchPlan("category-pure" if self.knows_category else "shuffled")

    def augmentation(self) -> Augmentation:
        """Flips, rotations, grey photos."""
        return Augmentation(self.options.flip, self.options.rotate, self.options.grayscale)
