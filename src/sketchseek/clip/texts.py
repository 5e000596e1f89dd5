"""Texts and class names -> token ids as tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sketchseek.errors import SketchseekError
from sketchseek.tokenizer import Tokenizer
from sketchseek.wording import class_in_words

__all__ = ["TextTokenizer", "Texts"]


@dataclass(frozen=True)
class Texts:
    """Token ids of n texts, cropped to the longest.

    ``ids``: int64 (n, longest), SOS first; after EOS comes padding, which the causal mask hides.
    ``ends``: int64 (n,), the index of each EOS.
    """

    ids: Tensor
    ends: Tensor

    @property
    def mask(self) -> Tensor:
        """bool (n, longest): True from SOS to EOS, False on padding."""
        return torch.arange(self.ids.shape[1], device=self.ids.device) <= self.ends[:, None]


class TextTokenizer:
    """CLIP's tokenizer for torch; see ``sketchseek.tokenizer``.

    ``vocabulary``: the number of tokens that the weights have.
    """

    def __init__(self, tokenizer_json: Path, *, context: int, vocabulary: int) -> None:
        self.path = tokenizer_json
        try:
            self._tokenizer = Tokenizer(tokenizer_json.read_bytes(), path=tokenizer_json, context=context)
        except OSError as error:
            raise SketchseekError(f"{tokenizer_json} cannot be read: {error.strerror}") from None
        if self._tokenizer.vocabulary > vocabulary:
            raise SketchseekError(
                f"{tokenizer_json} has {self._tokenizer.vocabulary} tokens but the weights only {vocabulary}:"
                " they do not belong together"
            )
        self.sos, self.eos, self.context = self._tokenizer.sos, self._tokenizer.eos, context

    def __call__(self, texts: Sequence[str]) -> Texts:
        """Texts, unchanged -> token ids."""
        tokens = self._tokenizer(texts)
        return Texts(torch.from_numpy(tokens.ids), torch.from_numpy(tokens.ends))

    def of_classes(self, names: Sequence[str], template: str = "a photo of a {}") -> Texts:
        """Class names, written as words, in place of ``{}`` -> token ids."""
        return self([template.replace("{}", class_in_words(name)) for name in names])
