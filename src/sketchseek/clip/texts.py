"""Words -> token numbers as tensors, and class names as words."""

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
    """Token numbers of n texts, cropped to the longest.

    ``ids``: int64 (n, longest), SOS first; behind EOS stands padding that the causal mask hides.
    ``ends``: int64 (n,), the index of each EOS.
    """

    ids: Tensor
    ends: Tensor

    @property
    def mask(self) -> Tensor:
        """bool (n, longest): True from SOS to EOS, False on padding."""
        return torch.arange(self.ids.shape[1], device=self.ids.device) <= self.ends[:, None]


class TextTokenizer:
    """A tokenizer of CLIP's kind, for torch; see ``sketchseek.tokenizer``.

    ``vocabulary``: how many tokens the weights know.
    """

    def __init__(self, tokenizer_json: Path, *, context: int, vocabulary: int) -> None:
        self.path = tokenizer_json
        try:
            self._tokenizer = Tokenizer(tokenizer_json.read_bytes(), path=tokenizer_json, context=context)
        except OSError as error:
            raise SketchseekError(f"{tokenizer_json} cannot be read: {error.strerror}") from None
        if self._tokenizer.vocabulary > vocabulary:
            raise SketchseekError(
                f"{tokenizer_json} knows {self._tokenizer.vocabulary} tokens but the weights only {vocabulary}:"
                " the two do not belong together"
            )
        self.sos, self.eos, self.context = self._tokenizer.sos, self._tokenizer.eos, context

    def __call__(self, texts: Sequence[str]) -> Texts:
        """Texts, as they are -> token numbers."""
        tokens = self._tokenizer(texts)
        return Texts(torch.from_numpy(tokens.ids), torch.from_numpy(tokens.ends))

    def of_classes(self, names: Sequence[str], template: str = "a photo of a {}") -> Texts:
        """Class names, spelled as people write them and put in the place of ``{}``."""
        return self([template.replace("{}", class_in_words(name)) for name in names])
