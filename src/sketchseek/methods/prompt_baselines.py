"""Baselines of the papers' tables that learn only prompts.

The tables only name B-IP, B-MM, B-Deep and B-Cond; the classes here are our definitions. Losses and batches come from
``baselines``.
"""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sketchseek.clip.adaptation import Adaptation
from sketchseek.clip.backbone import Backbone
from sketchseek.methods.baselines import Baseline, BaselineOptions
from sketchseek.methods.method import Group, Modality, Setting
from sketchseek.methods.prompts import Prompts


@dataclass(frozen=True)
class PromptOptions(BaselineOptions):
    """Prompts as in CLIP-AT: K tokens from N(0, std^2), appended to the image's before ``ln_pre``."""

    prompts: int = 3  # K
    prompt_std: float = 1.0
    prompt_lr: float = 1e-4


class PromptBaseline(Baseline):
    """Adds prompts, defined by a subclass, to the image's tokens."""

    options_type = PromptOptions
    options: PromptOptions

    def encode(self, pixels: Tensor, modality: Modality) -> Tensor:
        """CLIP's image tower with prompts."""
        tokens = self.backbone.image.embed(pixels)
        adaptation = Adaptation(prompts=self.image_prompts(tokens, modality), place="end", before_pre_norm=True)
        return self.backbone.image.run(tokens, adaptation).embedding

    @abstractmethod
    def image_prompts(self, tokens: Tensor, modality: Modality) -> dict[int, Tensor]:
        """Image tokens (n, first + grid * grid, width), CLS first -> prompts by layer."""

    def groups(self) -> list[Group]:
        """All parameters outside the backbone."""
        return [Group("prompts", tuple(_outside(self, self.backbone)), self.options.prompt_lr)]


def _outside(method: nn.Module, backbone: Backbone) -> Iterable[nn.Parameter]:
    inside = {id(parameter) for parameter in backbone.parameters()}
    return (parameter for parameter in method.parameters() if id(parameter) not in inside)


class ShallowPrompts(PromptBaseline):
    """One set of prompts at the first layer, shared by sketches and photos."""

    name = "shallow-prompts"

    def __init__(self, backbone: Backbone, classes: Sequence[str], setting: Setting, options: PromptOptions) -> None:
        super().__init__(backbone, classes, setting, options)
        self.prompts = Prompts(options.prompts, backbone.image.width, std=options.prompt_std)

    def image_prompts(self, tokens: Tensor, modality: Modality) -> dict[int, Tensor]:
        """v."""
        return self.prompts.by_layer()


class ModalityPrompts(PromptBaseline):
    """B-MM: separate prompts for sketches and photos at the first layer; CLIP-AT without its LayerNorms."""

    name = "modality-prompts"
    one_encoder = False

    def __init__(self, backbone: Backbone, classes: Sequence[str], setting: Setting, options: PromptOptions) -> None:
        super().__init__(backbone, classes, setting, options)
        self.sketch_prompts = Prompts(options.prompts, backbone.image.width, std=options.prompt_std)
        self.photo_prompts = Prompts(options.prompts, backbone.image.width, std=options.prompt_std)

    def image_prompts(self, tokens: Tensor, modality: Modality) -> dict[int, Tensor]:
        """v^s or v^p."""
        return (self.sketch_prompts if modality == "sketch" else self.photo_prompts).by_layer()


class DeepPrompts(PromptBaseline):
    """B-Deep: new prompts at every layer, shared by sketches and photos."""

    name = "deep-prompts"

    def __init__(self, backbone: Backbone, classes: Sequence[str], setting: Setting, options: PromptOptions) -> None:
        super().__init__(backbone, classes, setting, options)
        image = backbone.image
        self.prompts = Prompts(options.prompts, image.width, layers=image.depth, std=options.prompt_std)

    def image_prompts(self, tokens: Tensor, modality: Modality) -> dict[int, Tensor]:
        """v_1 to v_L."""
        return self.prompts.by_layer()


@dataclass(frozen=True)
class IndependentPromptOptions(PromptOptions):
    """Prompts in both towers."""

    text_prompts: int = 3
    text_prompt_std: float = 0.02  # as small as embeddings of words


class IndependentPrompts(PromptBaseline):
    """B-IP: prompts at the first layer of both towers, learned independently of each other."""

    name = "independent-prompts"
    options_type = IndependentPromptOptions
    options: IndependentPromptOptions

    def __init__(
        self, backbone: Backbone, classes: Sequence[str], setting: Setting, options: IndependentPromptOptions
    ) -> None:
        super().__init__(backbone, classes, setting, options)
        self.prompts = Prompts(options.prompts, backbone.image.width, std=options.prompt_std)
        self.text_prompts = Prompts(options.text_prompts, backbone.text.width, std=options.text_prompt_std)

    def image_prompts(self, tokens: Tensor, modality: Modality) -> dict[int, Tensor]:
        """v."""
        return self.prompts.by_layer()

    def class_texts(self) -> Tensor:
        """Class texts with prompts, computed in each step."""
        tokens = self.backbone.class_tokens(self.classes, self.options.template)
        return self._prompted_texts(tokens.ids, tokens.ends)

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Texts, unchanged, with the text prompts."""
        tokens = self.backbone.tokens(texts)
        return self._prompted_texts(tokens.ids, tokens.ends)

    def _prompted_texts(self, ids: Tensor, ends: Tensor) -> Tensor:
        embeddings: Tensor = self.backbone.text(ids, ends, Adaptation(prompts=self.text_prompts.by_layer()))
        return embeddings


@dataclass(frozen=True)
class ConditionalPromptOptions(PromptOptions):
    """A small network that shifts the prompts."""

    narrowing: int = 16  # the hidden layer is this many times narrower than a token


class ConditionalPrompts(PromptBaseline):
    """B-Cond: shallow prompts, all shifted by a small network applied to the image's mean patch."""

    name = "conditional-prompts"
    options_type = ConditionalPromptOptions
    options: ConditionalPromptOptions

    def __init__(
        self, backbone: Backbone, classes: Sequence[str], setting: Setting, options: ConditionalPromptOptions
    ) -> None:
        super().__init__(backbone, classes, setting, options)
        width = backbone.image.width
        hidden = max(1, width // options.narrowing)
        self.prompts = Prompts(options.prompts, width, std=options.prompt_std)
        self.shift = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))
        # No shift at first: training starts from plain shallow prompts.
        last = self.shift[2]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def image_prompts(self, tokens: Tensor, modality: Modality) -> dict[int, Tensor]:
        """v + shift(mean patch), prompts for each image (n, K, width)."""
        shift = self.shift(tokens[:, self.backbone.image.first :].mean(dim=1)).unsqueeze(1)
        return {layer: torch.add(prompts, shift) for layer, prompts in self.prompts.by_layer().items()}
