"""SpLIP (Singha et al., ECCV 2024): the two towers of a frozen CLIP prompt each other in every layer.

B_t makes tokens T for the text tower from an image's patches E_0; B_v makes tokens V^tg for the image tower from the
words "a photo of a"; B_vt makes tokens V^ms_l for image layer l from the text states W_l of all seen classes.

    image tower, layer l:    [CLS, V^tg, V^ms_l, patches]
    text tower, each layer:  [SOS, T, "a photo of a {class}", EOS]

L = L_triplet + alpha L_class + beta L_cjs. Fine-grained, the positive is the paired photo and the negative another one
of its class, so mu(c, c) = 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from sketchseek.clip.adaptation import Adaptation, Norms
from sketchseek.clip.backbone import Backbone
from sketchseek.clip.texts import Texts
from sketchseek.losses.adaptive_margin import adaptive_margin_triplet_loss, margin_table
from sketchseek.losses.classification import classification_loss
from sketchseek.losses.distances import squared_euclidean_distance
from sketchseek.losses.jigsaw import jigsaw_loss
from sketchseek.losses.triplet import triplet_loss
from sketchseek.methods.class_texts import ClassTexts
from sketchseek.methods.jigsaw import JigsawSolver, make_puzzles, permutation_table
from sketchseek.methods.mapping_blocks import PatchesToWords, StatesToImage
from sketchseek.methods.method import Batch, Clock, Group, Method, Modality, Setting

MODALITIES: tuple[Modality, Modality] = ("sketch", "photo")
_BATCH = 8  # images in one pass of "per-image": each needs the texts of all classes


@dataclass(frozen=True)
class SplipOptions:
    """The paper's free choices; hardly any are published."""

    # T, and with it every text, depends on the image: "batch-mean" averages T over the images of a modality in the
    # batch, and keeps a moving average for use after training; "per-image" encodes the texts of all classes per image.
    text_cost: Literal["batch-mean", "per-image"] = "batch-mean"
    memory: float = 0.99  # of the moving average, per step
    sketch_words: str = "a sketch of a"
    photo_words: str = "a photo of a"  # J - 1 = 4 tokens each
    text_tokens: int = 4  # m, the length of T (paper)
    image_tokens: int = 2  # n, the length of V^ms_l (paper)
    block_per_layer: bool = False  # a B_vt for each layer instead of one for all
    image_tokens_std: float = 0.02  # of the initial last weights of B_vt
    before_pre_norm: bool = False  # whether the first layer's prompts pass through ln_pre, like the patches
    # Parts to switch off, as in the paper's ablations: B_t, B_v, B_vt, LayerNorms of both towers.
    patches_to_words: bool = True
    words_to_image: bool = True
    states_to_image: bool = True
    train_norms: bool = True
    triplet_weight: float = 1.0  # 0: without L_triplet, as in the ablations
    margin: float | None = None  # a fixed mu, as in the ablations; none: mu(c+, c-)
    alpha: float = 1.0  # of L_class
    beta: float = 0.1  # of L_cjs
    tau: float = 0.01  # of L_class
    margin_template: str = "a photo of a {}"  # of the frozen texts that give mu(c+, c-)
    permutations: int = 100  # |Y|
    jigsaw_grid: int = 3  # tiles a side (paper's drawing)
    solver_layers: int = 2  # of F_js (paper)
    solver_heads: int = 8
    solver_dropout: float = 0.1
    block_lr: float = 1e-3  # of B_t, B_v, B_vt, F_js
    norm_lr: float = 1e-5  # the paper's 1e-3 is risky for pretrained LayerNorms


class Splip(Method):
    """``patches_to_words`` is B_t, ``words_to_image`` B_v, ``states_to_image`` B_vt, ``solver`` F_js."""

    name = "splip"
    options_type = SplipOptions
    options: SplipOptions
    mean_words: Tensor
    steps_seen: Tensor
    permutations: Tensor

    def __init__(self, backbone: Backbone, classes: Sequence[str], setting: Setting, options: SplipOptions) -> None:
        super().__init__(backbone, classes, setting, options)
        image, text = backbone.image, backbone.text
        self.patches_to_words = (
            PatchesToWords(image.grid**2, image.width, text.width, options.text_tokens)
            if options.patches_to_words
            else None
        )
        self.words_to_image = nn.Linear(text.width, image.width) if options.words_to_image else None
        self.states_to_image = None
        if options.states_to_image:
            self.states_to_image = StatesToImage(
                text.width,
                image.width,
                tokens=options.image_tokens,
                blocks=image.depth if options.block_per_layer else 1,
                std=options.image_tokens_std,
            )
        self.image_norms = Norms(image) if options.train_norms else None
        self.text_norms = Norms(text) if options.train_norms else None
        self.solver = _solver(backbone.size, options) if options.beta else None
        # Not saved: the same options give the same table.
        self.register_buffer(
            "permutations", permutation_table(options.permutations, options.jigsaw_grid), persistent=False
        )
        with torch.no_grad():
            blank = image.embed(torch.zeros(1, 3, image.side, image.side, device=backbone.device))
            start = self.words_of(blank).expand(len(MODALITIES), -1, -1)
        # EMA of T, one row per modality; before training, B_t of a uniformly grey image.
        self.register_buffer("mean_words", start.clone())
        self.register_buffer("steps_seen", torch.tensor(0))
        self.frozen_class_texts = ClassTexts(backbone, self.classes, options.margin_template)
        self._cached_prompts: dict[Modality, dict[int, Tensor]] = {}

    def words_of(self, tokens: Tensor) -> Tensor:
        """T = B_t(E_0): an image's tokens (n, first + grid * grid, width), CLS first -> (n, m, text width).

        Without B_t there are no such tokens: m = 0.
        """
        if self.patches_to_words is None:
            return tokens.new_zeros(len(tokens), 0, self.backbone.text.width)
        words: Tensor = self.patches_to_words(tokens[:, self.backbone.image.first :])
        return words

    def read_classes(self, words: Tensor, modality: Modality) -> tuple[Tensor, dict[int, Tensor]]:
        """All seen classes through the text tower with T at every layer.

        ``words``: T, shape (m, text width). Returns F_t(c), shape (classes, size), and for each image layer l the mean
        of W_l over words and classes, shape (text width,). With a T per image, shape (n, m, text width), these shapes
        also start with n.
        """
        text, text_layers = self.backbone.text, self._text_layers()
        images = words if words.dim() == 3 else words.unsqueeze(0)
        classes = self.backbone.class_tokens(self.classes, self._template(modality) + " {}")
        texts = Texts(classes.ids.repeat(len(images), 1), classes.ends.repeat(len(images)))
        prompts = images.repeat_interleave(len(self.classes), dim=0)
        run = text.run(
            text.embed(texts.ids),
            texts.ends,
            Adaptation(prompts=dict.fromkeys(range(text.depth), prompts), norms=self.text_norms),
            keep=set(text_layers),
        )
        mask = texts.mask.unsqueeze(2)
        shape = (*words.shape[:-2], len(self.classes), -1)
        means = {
            number: ((states * mask).sum(dim=1) / mask.sum(dim=1)).view(shape).mean(dim=-2)
            for number, states in run.tokens.items()
        }
        return run.embedding.view(shape), {layer: means[number] for layer, number in enumerate(text_layers)}

    def _text_layers(self) -> list[int]:
        # W_l is the output of text layer l, counted from 1, for image layer l; if depths differ, layers are matched
        # proportionally.
        image, text = self.backbone.image.depth, self.backbone.text.depth
        return [-(-(layer + 1) * text // image) for layer in range(image)]

    def _template(self, modality: Modality) -> str:
        return self.options.sketch_words if modality == "sketch" else self.options.photo_words

    def image_prompts(self, states: dict[int, Tensor], modality: Modality) -> dict[int, Tensor]:
        """Image layer -> [V^tg, V^ms_l], shape (J - 1 + n, width); without B_v or B_vt, without their tokens.

        ``states``: from ``read_classes``; with a T per image, shapes start with the number of images.
        """
        from_words = None
        if self.words_to_image is not None:
            template = self.backbone.tokens([self._template(modality)])
            template_ids = template.ids[0, self.backbone.text.first : int(template.ends[0])]  # without SOS and EOS
            from_words = self.words_to_image(self.backbone.text.words(template_ids))
        prompts = {}
        for layer, state in states.items():
            parts = [] if from_words is None else [from_words.expand(*state.shape[:-1], -1, -1)]
            if self.states_to_image is not None:
                parts.append(self.states_to_image(state, layer))
            if parts:
                prompts[layer] = torch.cat(parts, dim=-2)
        return prompts

    def _run_image(self, tokens: Tensor, prompts: dict[int, Tensor]) -> Tensor:
        adaptation = Adaptation(prompts=prompts, before_pre_norm=self.options.before_pre_norm, norms=self.image_norms)
        return self.backbone.image.run(tokens, adaptation).embedding

    def _run_per_image(self, tokens: Tensor, modality: Modality) -> tuple[Tensor, Tensor]:
        """Encode every image with its own texts: embeddings (n, size) and F_t(c), shape (n, classes, size)."""
        embeddings, class_texts = [], []
        for part in torch.split(tokens, _BATCH):
            words = self.words_of(part)
            if torch.is_grad_enabled():  # do not keep activations of classes x images texts for backward
                texts, states = checkpoint(self.read_classes, words, modality, use_reentrant=False)
            else:
                texts, states = self.read_classes(words, modality)
            embeddings.append(self._run_image(part, self.image_prompts(states, modality)))
            class_texts.append(texts)
        return torch.cat(embeddings), torch.cat(class_texts)

    def encode(self, pixels: Tensor, modality: Modality) -> Tensor:
        """F_v(x), with T from the moving average, or from x if texts are per image."""
        tokens = self.backbone.image.embed(pixels)
        if self.options.text_cost == "per-image":
            return self._run_per_image(tokens, modality)[0]
        return self._run_image(tokens, self._average_prompts(modality))

    def _average_prompts(self, modality: Modality) -> dict[int, Tensor]:
        """The image prompts from the moving average of T; cached outside of training."""
        cached = not self.training and not torch.is_grad_enabled()
        if cached and modality in self._cached_prompts:
            return self._cached_prompts[modality]
        _, states = self.read_classes(self.mean_words[MODALITIES.index(modality)], modality)
        prompts = self.image_prompts(states, modality)
        if cached:
            self._cached_prompts[modality] = prompts
        return prompts

    def train(self, mode: bool = True) -> Self:
        """Set the mode, and drop cached prompts."""
        self._cached_prompts.clear()
        return super().train(mode)

    def load_adapter(self, tensors: dict[str, Tensor]) -> None:
        """Load the tensors, and drop cached prompts."""
        self._cached_prompts.clear()
        super().load_adapter(tensors)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._cached_prompts.clear()  # the weights move to another device or dtype
        moved: Self = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch has no types here
        return moved

    def why_not_exported(self) -> str | None:
        """One graph would run the text tower for every picture."""
        if self.options.text_cost == "per-image":
            return 'reads the texts of all classes again for every picture: train with text_cost = "batch-mean"'
        return super().why_not_exported()

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """F_t of texts, unchanged, prompted with the moving average of the photos' T."""
        tokens, text = self.backbone.tokens(texts), self.backbone.text
        prompts = dict.fromkeys(range(text.depth), self.mean_words[MODALITIES.index("photo")])
        embeddings: Tensor = text(tokens.ids, tokens.ends, Adaptation(prompts=prompts, norms=self.text_norms))
        return embeddings

    def losses(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """L_triplet, L_class over s, p+ and p-, and L_cjs."""
        n, sketches = len(batch.sketches), [batch.sketches]
        if self.solver is not None:
            puzzles, order = make_puzzles(batch.sketches, self.permutations, torch.default_generator)
            sketches.append(puzzles)
        of_sketches, sketch_texts = self._encode_batch(torch.cat(sketches), n, "sketch")
        of_photos, photo_texts = self._encode_batch(torch.cat((batch.positives, batch.negatives)), 2 * n, "photo")
        if self.training:
            self.steps_seen += 1
        sketch, (positive, negative) = of_sketches[:n], of_photos.chunk(2)

        losses = {}
        if self.options.triplet_weight:
            losses["triplet"] = self.options.triplet_weight * self._triplet_loss(batch, sketch, positive, negative)
        if self.options.alpha:
            photo_labels = torch.cat((batch.labels, batch.negative_labels))
            of_class = classification_loss(sketch, _first(sketch_texts, n), batch.labels, self.options.tau)
            of_class = of_class + 2 * classification_loss(of_photos, photo_texts, photo_labels, self.options.tau)
            losses["class"] = self.options.alpha * of_class / 3  # the mean over s, p+ and p-
        if self.solver is not None:
            puzzle = of_sketches[n:]
            own, right, wrong = (self.solver(features, puzzle) for features in (sketch, positive, negative))
            losses["jigsaw"] = self.options.beta * jigsaw_loss(own, right, wrong, order)
        return losses

    def _triplet_loss(self, batch: Batch, sketch: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        if self.options.margin is not None:
            return triplet_loss(sketch, positive, negative, self.options.margin, squared_euclidean_distance)
        table = margin_table(self.frozen_class_texts())
        return adaptive_margin_triplet_loss(sketch, positive, negative, batch.labels, batch.negative_labels, table)

    def _encode_batch(self, pixels: Tensor, plain: int, modality: Modality) -> tuple[Tensor, Tensor]:
        """F_v(x) and F_t(c) of a training batch; the mean T is that of the first ``plain`` images, without puzzles."""
        tokens = self.backbone.image.embed(pixels)
        mean = self.words_of(tokens[:plain]).mean(dim=0)
        if self.training:
            self._update_mean(mean.detach(), modality)
        if self.options.text_cost == "per-image":
            return self._run_per_image(tokens, modality)
        texts, states = self.read_classes(mean, modality)
        return self._run_image(tokens, self.image_prompts(states, modality)), texts

    def _update_mean(self, words: Tensor, modality: Modality) -> None:
        # A plain mean at first, so that the initial value has no influence.
        rate = (1 / (1 + self.steps_seen.to(self.mean_words.dtype))).clamp(min=1 - self.options.memory)
        self.mean_words[MODALITIES.index(modality)].lerp_(words.to(self.mean_words.dtype), rate)

    def groups(self) -> list[Group]:
        """The three blocks and the solver; the LayerNorms of both towers."""
        blocks = [self.patches_to_words, self.words_to_image, self.states_to_image, self.solver]
        norms = [self.image_norms, self.text_norms]
        groups = [Group("blocks", _parameters(blocks), self.options.block_lr)]
        return groups + ([Group("norms", _parameters(norms), self.options.norm_lr)] if self.options.train_norms else [])


def _solver(size: int, options: SplipOptions) -> JigsawSolver:
    return JigsawSolver(size, options.permutations, options.solver_layers, options.solver_heads, options.solver_dropout)


def _first(class_texts: Tensor, n: int) -> Tensor:
    # Texts shared by all images, or one set per image.
    return class_texts if class_texts.dim() == 2 else class_texts[:n]


def _parameters(modules: Sequence[nn.Module | None]) -> tuple[nn.Parameter, ...]:
    return tuple(parameter for module in modules if module is not None for parameter in module.parameters())
