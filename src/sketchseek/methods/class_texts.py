"""Frozen text embeddings of class names: computed when first asked for, then kept."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from sketchseek.clip.backbone import Backbone
from sketchseek.losses.distances import unit
from sketchseek.wording import class_in_words

_AT_ONCE = 256  # texts in one pass: bounds the memory


class ClassTexts:
    """f_t^j, F_t(c): the frozen text tower's embeddings of all classes in one template, a table (classes, size)."""

    def __init__(self, backbone: Backbone, classes: Sequence[str], template: str) -> None:
        self._backbone = backbone
        self._classes = tuple(classes)
        self._template = template
        self._table: Tensor | None = None

    def __call__(self) -> Tensor:
        """The table, not normalised, beside the backbone's weights."""
        weights = self._backbone.logit_scale
        if self._table is None or (self._table.device, self._table.dtype) != (weights.device, weights.dtype):
            self._table = class_table(self._backbone, self._classes, self._template)
        return self._table


def class_table(backbone: Backbone, classes: Sequence[str], template: str) -> Tensor:
    """Class names in a template -> the text tower's embeddings (classes, size), not normalised, without gradients."""
    return _encode(backbone, [template.replace("{}", class_in_words(name)) for name in classes])


def template_mean(backbone: Backbone, category: str, templates: Sequence[str]) -> Tensor:
    """t: the mean over templates of text embeddings of length 1, itself not brought to length 1. -> (size,)."""
    embeddings = _encode(backbone, [template.replace("{}", class_in_words(category)) for template in templates])
    with _as_constants(backbone):
        return unit(embeddings).mean(dim=0)


def _encode(backbone: Backbone, phrases: Sequence[str]) -> Tensor:
    with _as_constants(backbone):
        texts = backbone.tokens(phrases)
        parts = [slice(start, start + _AT_ONCE) for start in range(0, len(phrases), _AT_ONCE)]
        return torch.cat([backbone.text(texts.ids[part], texts.ends[part]) for part in parts])


@contextmanager
def _as_constants(backbone: Backbone) -> Iterator[None]:
    # Asked for first in a validation or under autocast, they must serve training at full precision nevertheless.
    with torch.inference_mode(False), torch.no_grad(), torch.autocast(backbone.device.type, enabled=False):
        yield
