"""Frozen text embeddings of class names: computed when first asked for, then kept."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sketchseek.clip.backbone import Backbone
from sketchseek.losses.distances import unit

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


@torch.no_grad()
def class_table(backbone: Backbone, classes: Sequence[str], template: str) -> Tensor:
    """Class names in a template -> the text tower's embeddings (classes, size), not normalised, without gradients."""
    texts = backbone.class_tokens(classes, template)
    parts = [slice(start, start + _AT_ONCE) for start in range(0, len(texts.ids), _AT_ONCE)]
    return torch.cat([backbone.text(texts.ids[part], texts.ends[part]) for part in parts])


@torch.no_grad()
def template_mean(backbone: Backbone, category: str, templates: Sequence[str]) -> Tensor:
    """t: the mean over templates of text embeddings of length 1, itself not brought to length 1. -> (size,)."""
    return unit(torch.cat([class_table(backbone, [category], template) for template in templates])).mean(dim=0)
