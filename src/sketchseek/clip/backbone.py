"""A backbone: image tower, text tower, temperature, tokenizer and the preprocessing of its pictures.

Methods use this class and its towers, nothing below. Its parts are passed in, because backbones differ in stem, number
and width of layers, head, and vocabulary; our own small backbone is this class with another stem.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import CLIPConfig
from transformers.models.clip.modeling_clip import CLIPTextEmbeddings, CLIPVisionEmbeddings

from sketchseek.clip.layers import Layer
from sketchseek.clip.lines import Lines
from sketchseek.clip.texts import Texts, TextTokenizer
from sketchseek.clip.towers import ImageTower, TextTower
from sketchseek.pictures import Preprocessing

__all__ = ["Backbone", "build_clip"]


class Backbone(nn.Module):
    """Photos, drawings and texts -> one space of ``size`` dimensions.

    ``logit_scale``: the logarithm of 1/temperature, as CLIP stores it.
    ``photos``, ``sketches``: how pictures become pixels for the image tower.
    ``lines``: the head that says where a person would draw lines over a photo; most backbones have none.
    """

    def __init__(
        self,
        image: ImageTower,
        text: TextTower,
        tokenizer: TextTokenizer,
        *,
        photos: Preprocessing,
        sketches: Preprocessing,
        lines: Lines | None = None,
    ) -> None:
        super().__init__()
        if image.size != text.size:
            raise ValueError(f"the towers' embeddings differ in size: {image.size} and {text.size}")
        self.image = image
        self.text = text
        self.lines = lines
        self.logit_scale = nn.Parameter(torch.tensor(2.6592))
        self.tokenizer = tokenizer
        self.photos = photos
        self.sketches = sketches
        self.size = image.size
        self._fixed: Texts | None = None

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.logit_scale.device

    @property
    def temperature(self) -> Tensor:
        """tau: cosines are divided by it to become logits (0.01 for OpenAI's CLIPs)."""
        return torch.exp(-self.logit_scale)

    def tokens(self, texts: Sequence[str]) -> Texts:
        """Texts, unchanged -> token ids on the device of the weights."""
        return self._for_tower(self._fixed or self.tokenizer(texts))

    @contextmanager
    def fixed_tokens(self, texts: Texts) -> Iterator[None]:
        """Inside the block ``tokens`` returns these token ids for any texts, so that an export can trace them."""
        self._fixed = texts
        try:
            yield
        finally:
            self._fixed = None

    def class_tokens(self, names: Sequence[str], template: str = "a photo of a {}") -> Texts:
        """Class names in a template -> token ids on the device of the weights."""
        return self._for_tower(self.tokenizer.of_classes(names, template))

    def _for_tower(self, texts: Texts) -> Texts:
        texts = Texts(texts.ids.to(self.device), texts.ends.to(self.device))
        return texts if self.text.padding is None else texts.padded(self.text.context, self.text.padding)


def build_clip(config: CLIPConfig) -> tuple[ImageTower, TextTower]:
    """Towers built from parts of transformers, with new weights and the shapes of a CLIP's ``config.json``."""
    vision: Any = config.vision_config
    text: Any = config.text_config
    size: Any = config.projection_dim
    stem = CLIPVisionEmbeddings(vision)
    embeddings = CLIPTextEmbeddings(text)
    image_tower = ImageTower(
        stem=stem,
        grid=vision.image_size // vision.patch_size,
        side=vision.image_size,
        pre_norm=nn.LayerNorm(vision.hidden_size, eps=vision.layer_norm_eps),
        layers=[Layer(vision) for _ in range(vision.num_hidden_layers)],
        post_norm=nn.LayerNorm(vision.hidden_size, eps=vision.layer_norm_eps),
        projection=nn.Linear(vision.hidden_size, size, bias=False),
    )
    text_tower = TextTower(
        words=embeddings.token_embedding,
        positions=embeddings.position_embedding,
        layers=[Layer(text) for _ in range(text.num_hidden_layers)],
        post_norm=nn.LayerNorm(text.hidden_size, eps=text.layer_norm_eps),
        projection=nn.Linear(text.hidden_size, size, bias=False),
    )
    return image_tower, text_tower
