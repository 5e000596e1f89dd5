"""DP-CLIP (Gao et al., arXiv 2404.18695): a CLIP adapted to each category by its name and a few pictures of it.

Fine-grained, the category is known: support pictures become prompts p_m of every layer (visual prompting module), the
name scales side branches (textual prompting module), and four windows are matched beside the whole picture (patch-level
matching module). L = (1 - w) L_ordinary + w L_hard, each on f_g + 0.1 sum_i f_l^i; w grows during the training.

Category level, the category is unknown and the paper's procedure is not published. Ours: base prompts without support
pictures; branches without scales (or scaled by the mean text of the seen classes, or for sketches by the text of the
predicted class); negatives of other classes; and CLIP-AT's classification loss.
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
from sketchseek.methods.gathering import gathered
from sketchseek.methods.left_trainable import embeddings_and_projection, queries_keys_values
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
    """The paper's free choices; defaults are those of the released code unless a comment says otherwise."""

    prompts: int = 3  # per layer; 0: no visual prompting
    prompt_dropout: float = 0.1
    support_sketches: int = 1
    support_photos: int = 2
    rank: int = 16  # r; 768 is the best of the paper's appendix; 0: no side branches
    attention_factor: float | None = None  # none: 1 / rank; the released code has 0.0625 at every rank
    text_scales: bool = True  # the category's name scales the branches
    texts: Literal["ensemble", "single"] = "ensemble"  # t: mean of 63 templates (released code), one (paper's figure)
    window: int = 5  # patches a side; 0: no windows
    local_branch: bool = True  # a low-rank branch beside the layer that reads the windows
    margin: float = 0.15
    local_weight: float = 0.1  # of each window in the losses
    local_share: float = 0.2  # of each window in the distance used for ranking
    hard_stages: int = 6  # of equal length; w grows by 0.25 from one to the next; 0: ordinary triplets alone
    hard_clip: bool = True  # w stops at 1; in the released code it reaches 1.25
    forgotten: bool = False  # also train what the released code does not freeze
    module_lr: float = 1e-5  # of prompts, branches, scales and windows
    norm_lr: float = 1e-6  # of the tower's LayerNorms
    flip: float = 0.5
    rotate: float = 0.5
    grayscale: float = 0.5
    # Only for the category level, ours. What scales the branches: nothing, the mean text of the seen classes, or for a
    # sketch the text of the seen class that zero-shot CLIP predicts (for photos the mean).
    unknown_text: Literal["none", "mean", "predicted"] = "none"
    class_weight: float = 0.5
    tau: float = 0.01
    template: str = "a photo of a {}"


@dataclass(frozen=True)
class Conditions:
    """How a category adapts the image tower: p_m and the scaled branches of each layer."""

    prompts: dict[int, Tensor]
    branches: dict[int, Branch]


class DpClip(Method):
    """An embedding contains f_g and the four f_l^i, so that cosines rank as the paper's fused distance."""

    name = "dp-clip"
    options_type = DpClipOptions
    options: DpClipOptions

    def __init__(self, backbone: Backbone, classes: Sequence[str], setting: Setting, options: DpClipOptions) -> None:
        super().__init__(backbone, classes, setting, options)
        image = backbone.image
        self.knows_category = setting == "fine-grained"
        self.norms = Norms(image)
        self.base_prompts = BasePrompts(image, options.prompts, options.prompt_dropout) if options.prompts else None
        self.support_reader = SupportReader(image) if options.prompts and self.knows_category else None
        branches = [
            SideBranch(image.width, options.rank, options.attention_factor)
            for _ in range(image.depth if options.rank else 0)
        ]
        self.branches = nn.ModuleList(branches)
        has_text = options.text_scales and (self.knows_category or options.unknown_text != "none")
        self.scales = nn.ModuleList(TextScales(backbone.text.size, options.rank) for _ in branches if has_text)
        local_branch = branches[-1] if branches and options.local_branch else None
        self.local = LocalHead(image, options.window, local_branch) if options.window else None
        self.class_texts = ClassTexts(backbone, self.classes, options.template)
        self._category_texts: dict[str, Tensor] = {}
        for parameter in (*self._left_trainable_in_tower(), *self._left_trainable_in_windows()):
            parameter.requires_grad_(True)

    def _left_trainable_in_tower(self) -> tuple[nn.Parameter, ...]:
        return embeddings_and_projection(self.backbone.image) if self.options.forgotten else ()

    def _left_trainable_in_windows(self) -> tuple[nn.Parameter, ...]:
        return queries_keys_values(self.local.layer) if self.options.forgotten and self.local is not None else ()

    @property
    def size(self) -> int:
        """Width of an embedding: the whole picture and four windows."""
        return (1 if self.local is None else 1 + NUMBER) * self.backbone.size

    def support(self) -> tuple[int, int] | None:
        """Numbers of sketches and photos of the category, if it is known; none of them without visual prompting."""
        if not self.knows_category:
            return None
        return (self.options.support_sketches, self.options.support_photos) if self.options.prompts else (0, 0)

    def category_text(self, category: str) -> Tensor:
        """t: the category's name encoded by the frozen text tower, shape (size,); computed once per category."""
        if category not in self._category_texts:
            templates = TEMPLATES if self.options.texts == "ensemble" else SINGLE
            self._category_texts[category] = template_mean(self.backbone, category, templates)
        weights = self.backbone.logit_scale
        return self._category_texts[category].to(weights.device, weights.dtype)

    def conditions(self, category: str, support: Tensor) -> Conditions:
        """For a known category; ``support``: tokens of its pictures before ``pre_norm``, shape (m, n, width)."""
        prompts = None
        if self.base_prompts is not None:
            assert self.support_reader is not None
            prompts = self.support_reader(self.base_prompts(), support)
        return self._conditions(prompts, self.category_text(category) if len(self.scales) else None)

    def common_conditions(self, sketches: Tensor | None = None) -> Conditions:
        """For an unknown category; classes may be predicted from ``sketches``, tokens before ``pre_norm``."""
        text = None
        if len(self.scales):
            texts = torch.stack([self.category_text(category) for category in self.classes])
            if sketches is None or self.options.unknown_text != "predicted":
                text = texts.mean(dim=0)
            else:
                text = texts[self.predict_classes(sketches)].unsqueeze(1)
        return self._conditions(None if self.base_prompts is None else self.base_prompts(), text)

    def predict_classes(self, tokens: Tensor) -> Tensor:
        """The seen class of each picture by zero-shot CLIP, shape (n,), from tokens before ``pre_norm``."""
        with torch.no_grad():
            plain = self.backbone.image.run(tokens).embedding
            return (unit(plain) @ unit(self.class_texts()).T).argmax(dim=1)

    def _conditions(self, prompts: Tensor | None, text: Tensor | None) -> Conditions:
        # One text for all pictures, shape (size,), or one for each, shape (n, 1, size).
        branches = {}
        for layer, branch in enumerate(self.branches):
            assert isinstance(branch, SideBranch)
            branches[layer] = branch.scaled() if text is None else branch.scaled(*self.scales[layer](text))
        return Conditions({} if prompts is None else dict(enumerate(prompts.unbind())), branches)

    def features(self, tokens: Tensor, conditions: Conditions) -> list[Tensor]:
        """f_g and, with windows, f_l^1 to f_l^4, each (n, backbone's size), from tokens before ``pre_norm``."""
        image = self.backbone.image
        last = image.depth - 1
        adaptation = Adaptation(
            prompts=conditions.prompts,
            place="end",
            before_pre_norm=True,
            norms=self.norms,
            branches=conditions.branches,
        )
        if self.local is None:
            return [image.run(tokens, adaptation).embedding]
        run = image.run(tokens, adaptation, keep=(last,))
        return [run.embedding, *self.local(run.tokens[last]).unbind(dim=1)]

    def fuse(self, features: Sequence[Tensor]) -> Tensor:
        """One vector (n, size) of the normalised and weighted parts.

        Its cosine c gives the fused distance d_global + 0.2 sum_i d_local_i = 1.8 (1 - c), d = 1 - cos.
        """
        picture, *windows = map(unit, features)
        return torch.cat((picture, *(self.options.local_share**0.5 * window for window in windows)), dim=1)

    def encode(self, pixels: Tensor, modality: Modality) -> Tensor:
        """Encode pictures of any category; a fine-grained model must know the category, see ``for_category``."""
        if self.knows_category:
            raise SketchseekError(
                "a fine-grained dp-clip only encodes pictures of a known category: evaluate it with --protocol"
                " fine-grained, evaluate or export it for one category with --category and --support, or train the"
                " category setting"
            )
        tokens = self.backbone.image.embed(pixels)
        return self.fuse(self.features(tokens, self.common_conditions(tokens if modality == "sketch" else None)))

    def for_category(self, name: str, sketches: Tensor, photos: Tensor) -> EncodeFunction:
        """``encode`` for sketches and photos of one category."""
        if not self.knows_category:
            return self.encode
        support = torch.cat((sketches, photos))
        if self.support_reader is not None and not len(support):
            raise SketchseekError(f"dp-clip requires at least one support picture of {name!r}, a sketch or a photo")
        conditions = self.conditions(name, self.backbone.image.embed(support))

        def encode(pixels: Tensor, modality: Modality) -> Tensor:  # noqa: ARG001 - the same for both
            return self.fuse(self.features(self.backbone.image.embed(pixels), conditions))

        return encode

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """CLIP's own embeddings, compared with the whole picture; the parts of the windows are 0."""
        return self._without_windows(super().encode_texts(texts))

    def head(self, plain: Tensor) -> Tensor:
        """The part of the whole picture; the parts of the windows are 0."""
        return self._without_windows(unit(plain))

    def _without_windows(self, picture: Tensor) -> Tensor:
        return torch.cat((picture, picture.new_zeros(picture.shape[0], self.size - picture.shape[1])), dim=1)

    def losses(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """(1 - w) L_ordinary and w L_hard; at category level also L_cls."""
        n = len(batch.sketches)
        weight = hard_weight(clock.step, clock.steps, self.options.hard_stages, self.options.hard_clip)
        pictures = [batch.sketches, batch.positives]
        if weight < 1:  # later no loss needs them
            pictures.append(batch.negatives)
        tokens = self.backbone.image.embed(torch.cat(pictures))
        parts = [torch.split(part, n) for part in self._training_features(batch, tokens)]

        ordinary, hard = [], []
        others = gathered(batch.instances if self.knows_category else batch.labels)
        for sketch, positive, *negative in parts:
            ordinary += [triplet_loss(sketch, positive, wrong, self.options.margin) for wrong in negative]
            hard.append(batch_hard_loss(gathered(sketch), gathered(positive), others, self.options.margin))
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
        """Features of the batch's sketches and photos, in one pass if all have the same conditions."""
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
        """Conditions of the batch's category, with support pictures drawn from the batch."""
        n, label = len(batch.sketches), int(batch.labels[0])
        if not (batch.labels == label).all():
            raise ValueError("a fine-grained batch of dp-clip must have one category")
        sketches = torch.randint(n, (self.options.support_sketches,))
        photos = n + torch.randint(n, (self.options.support_photos,))
        return self.conditions(self.classes[label], tokens[torch.cat((sketches, photos)).to(tokens.device)])

    def groups(self) -> list[Group]:
        """The three modules; the LayerNorms, with what the released code does not freeze if the option says so."""
        modules = (self.base_prompts, self.support_reader, self.branches, self.scales, self.local)
        trained = [p for module in modules if module is not None for p in module.parameters() if p.requires_grad]
        return [
            Group("modules", tuple(trained), self.options.module_lr),
            Group("norms", (*self.norms.parameters(), *self._left_trainable_in_tower()), self.options.norm_lr),
        ]

    def batch_plan(self) -> BatchPlan:
        """One category per batch, if it is known."""
        return BatchPlan("category-pure" if self.knows_category else "shuffled")

    def augmentation(self) -> Augmentation:
        """Flips, rotations and greyscale photos."""
        return Augmentation(self.options.flip, self.options.rotate, self.options.grayscale)
