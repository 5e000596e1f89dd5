"""Frozen text embeddings of class names, computed on first use and kept."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from sketchseek.clip.backbone import Backbone
from sketchseek.losses.distances import unit
from sketchseek.wording import class_in_words

_BATCH = 256  # texts in one pass: limits memory


class ClassTexts:
    """f_t^j, F_t(c): the frozen text tower's embeddings of all classes in one template, a table (classes, size)."""

    def __init__(self, backbone: Backbone, classes: Sequence[str], template: str) -> None:
        self._backbone = backbone
        self._classes = tuple(classes)
        self._template = template
        self._table: Tensor | None = None

    def __call__(self) -> Tensor:
        """The table, not normalised, on the device of the backbone."""
        weights = self._backbone.logit_scale
        if self._table is None or (self._table.device, self._table.dtype) != (weights.device, weights.dtype):
            self._table = class_table(self._backbone, self._classes, self._template)
        return self._table


def class_table(backbone: Backbone, classes: Sequence[str], template: str) -> Tensor:
    """Class names in a template -> the text tower's embeddings (classes, size), not normalised, without gradients."""
    return _encode(backbone, [template.replace("{}", class_in_words(name)) for name in classes])


def template_mean(backbone: Backbone, category: str, templates: Sequence[str]) -> Tensor:
    """t: the mean over templates of normalised text embeddings, itself not normalised. -> (size,)."""
    embeddings = _encode(backbone, [_with_article(template, class_in_words(category)) for template in templates])
    with _as_constants(backbone):
        return unit(embeddings).mean(dim=0)


def _with_article(template: str, name: str) -> str:
    """The template with the name; "a" before it becomes "an" where the name begins with a vowel."""
    article = "an {}" if name[:1].lower() in tuple("aeiou") else "a {}"
    return template.replace("a {}", article).replace("{}", name)


def _encode(backbone: Backbone, phrases: Sequence[str]) -> Tensor:
    with _as_constants(backbone):
        texts = backbone.tokens(phrases)
        parts = zip(torch.split(texts.ids, _BATCH), torch.split(texts.ends, _BATCH), strict=True)
        return torch.cat([backbone.text(ids, ends) for ids, ends in parts])


@contextmanager
def _as_constants(backbone: Backbone) -> Iterator[None]:
    # Training uses the table at full precision, even if validation or autocast computed it first.
    with torch.inference_mode(False), torch.no_grad(), torch.autocast(backbone.device.type, enabled=False):
        yield
