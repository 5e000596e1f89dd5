"""Baselines of the papers' tables that learn prompts and nothing else: LayerNorms stay CLIP's.

B-IP, B-MM, B-Deep and B-Cond are names in a table; what they are here is our definition, one sentence a class. Losses
and batches are those of ``baselines``.
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
    """Adds prompts to the image's tokens; which ones, a subclass says."""

    options_type = PromptOptions
    options: PromptOptions

    def encode(self, pixels: Tensor, modality: Modality) -> Tensor:
        """CLIP's image tower with prompts."""
        tokens = self.backbone.image.embed(pixels)
        adaptation = Adaptation(prompts=self.image_prompts(tokens, modality), place="end", before_pre_norm=True)
        return self.backbone.image.run(tokens, adaptation).embedding

    @abstractmethod
    def image_prompts(self, tokens: Tensor, modality: Modality) -> dict[int, Tensor]:
        """Layer -> prompts, given the image's tokens (n, 1 + grid * grid, width), CLS first."""

    def groups(self) -> list[Group]:
        """All that is not CLIP's."""
        return [Group("prompts", tuple(_outside(self, self.backbone)), self.options.prompt_lr)]


def _outside(method: nn.Module, backbone: Backbone) -> Iterable[nn.Parameter]:
    inside = {id(parameter) for parameter in backbone.parameters()}
    return (parameter for parameter in method.parameters() if id(parameter) not in inside)


class ShallowPrompts(PromptBaseline):
    """One set of prompts at the first layer, common to sketches and photos."""

    name = "shallow-prompts"

    def __init__(self, backbone: Backbone, classes: Sequence[str], setting: Setting, options: PromptOptions) -> None:
        super().__init__(backbone, classes, setting, options)
        self.prompts = Prompts(options.prompts, backbone.image.width, std=options.prompt_std)

    def image_prompts(self, tokens: Tensor, modality: Modality) -> dict[int, Tensor]:
        """v."""
        return self.prompts.by_layer()


class ModalityPrompts(PromptBaseline):
    """B-MM: a set of prompts for sketches and a set for photos at the first layer; CLIP-AT without its LayerNorms."""

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
    """B-Deep: prompts replaced anew at every layer, common to sketches and photos."""

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
    text_prompt_std: float = 0.02  # words' own embeddings are this small


class IndependentPrompts(PromptBaseline):
    """B-IP: prompts at the first layer of both towers, learned independently: none is made from another."""

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
        """Of words with prompts, computed anew in each step."""
        words = self.backbone.class_tokens(self.classes, self.options.template)
        return self._prompted_texts(words.ids, words.ends)

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Phrases, as they are, with the text prompts."""
        words = self.backbone.tokens(texts)
        return self._prompted_texts(words.ids, words.ends)

    def _prompted_texts(self, ids: Tensor, ends: Tensor) -> Tensor:
        embeddings: Tensor = self.backbone.text(ids, ends, Adaptation(prompts=self.text_prompts.by_layer()))
        return embeddings


@dataclass(frozen=True)
class ConditionalPromptOptions(PromptOptions):
    """A small network that shifts the prompts."""

    narrowing: int = 16  # how many times narrower than a token its hidden layer is


class ConditionalPrompts(PromptBaseline):
    """B-Cond: shallow prompts, all shifted by what a small network makes of the image's mean patch."""

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
        """v + shift(mean patch), prompts of each image's own (n, K, width)."""
        shift = self.shift(tokens[:, 1:].mean(dim=1)).unsqueeze(1)
        return {layer: torch.add(prompts, shift) for layer, prompts in self.prompts.by_layer().items()}
