"""Texts and class names -> token ids as tensors."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sketchseek.errors import SketchseekError
from sketchseek.hub.tokenizers import Cleaning, cleaned
from sketchseek.tokenizer import Tokenizer
from sketchseek.wording import class_in_words

__all__ = ["TextTokenizer", "Texts"]

SECONDS = 60.0  # for all texts of a call: a thousand class names take a hundredth of one


@dataclass(frozen=True)
class Texts:
    """Token ids of n texts, cropped to the longest.

    ``ids``: int64 (n, longest), SOS first if there is one; after EOS comes padding, which the causal mask hides.
    ``ends``: int64 (n,), the index of each EOS.
    """

    ids: Tensor
    ends: Tensor

    def padded(self, context: int, padding: int) -> "Texts":
        """The same texts, filled up to ``context`` with the token ``padding``, for towers that see what follows EOS."""
        places = torch.arange(context, device=self.ids.device)
        ids = self.ids[:, places.clamp(max=self.ids.shape[1] - 1)]
        return Texts(torch.where(places <= self.ends[:, None], ids, padding), self.ends)

    @property
    def mask(self) -> Tensor:
        """bool (n, longest): True up to EOS, False on padding."""
        return torch.arange(self.ids.shape[1], device=self.ids.device) <= self.ends[:, None]


class TextTokenizer:
    """The tokenizer for torch; see ``sketchseek.tokenizer``.

    ``vocabulary``: the number of tokens that the weights have. ``cleaning``: how texts were changed for the weights.
    ``json``: the content of the tokenizer.json that does all this.
    """

    def __init__(
        self, tokenizer_json: Path, *, context: int, vocabulary: int, cleaning: Cleaning = "as they are"
    ) -> None:
        self.path = tokenizer_json
        self.json = cleaned(tokenizer_json, cleaning)
        self._tokenizer = Tokenizer(self.json, path=tokenizer_json, context=context)
        if self._tokenizer.vocabulary > vocabulary:
            raise SketchseekError(
                f"{tokenizer_json} has {self._tokenizer.vocabulary} tokens but the weights only {vocabulary}:"
                " they do not belong together"
            )
        self.sos, self.eos, self.context = self._tokenizer.sos, self._tokenizer.eos, context
        self.first = self._tokenizer.frame - 1  # tokens before a text

    def __call__(self, texts: Sequence[str]) -> Texts:
        """Texts, unchanged -> token ids."""
        tokens = _in_time(lambda: self._tokenizer(texts), self.path)
        return Texts(torch.from_numpy(tokens.ids), torch.from_numpy(tokens.ends))

    def of_classes(self, names: Sequence[str], template: str = "a photo of a {}") -> Texts:
        """Class names, written as words, in place of ``{}`` -> token ids."""
        return self([template.replace("{}", class_in_words(name)) for name in names])


def _in_time(call: Callable[[], Any], path: Path) -> Any:
    """The result of a call; an error after ``SECONDS``: a pattern in the file of a stranger can take years.

    The thread cannot be stopped. It is left behind, and ends with the process.
    """
    results: list[Any] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:  # it is raised in the thread that waits
            results.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(SECONDS)
    if not results:
        raise SketchseekError(f"{path} takes longer than {SECONDS:g} s for a text: use another tokenizer")
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]
