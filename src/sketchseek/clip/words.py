"""Words -> token numbers, with the tokenizer.json that came with the weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer as FastTokenizer
from torch import Tensor

from sketchseek.errors import SketchseekError

__all__ = ["Texts", "Words", "spell"]


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


def spell(class_name: str) -> str:
    """A class name as people write it: ``hot-air_balloon`` -> ``hot air balloon``."""
    return " ".join(class_name.replace("_", " ").replace("-", " ").split())


class Words:
    """A tokenizer of CLIP's kind: it puts SOS before a text and EOS behind it.

    ``context``: the longest text in tokens, SOS and EOS included. A longer one is refused: an embedding of its first
    half would answer a question nobody asked.
    """

    def __init__(self, tokenizer_json: Path, *, context: int, vocabulary: int) -> None:
        try:
            self._tokenizer = FastTokenizer.from_file(str(tokenizer_json))
        except Exception as error:  # the library raises nothing narrower
            raise SketchseekError(f"{tokenizer_json} is not a tokenizer that can be read: {error}") from None
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        # Somebody's "<|endoftext|>" is a text like any other.
        self._tokenizer.encode_special_tokens = True
        if self._tokenizer.get_vocab_size() > vocabulary:
            raise SketchseekError(
                f"{tokenizer_json} knows {self._tokenizer.get_vocab_size()} tokens but the weights only {vocabulary}:"
                " the two do not belong together"
            )
        frame = self._tokenizer.encode("").ids
        if len(frame) != 2:
            raise SketchseekError(
                f"{tokenizer_json} does not put one token before and one behind a text, as CLIP's tokenizers do"
            )
        self.sos, self.eos = frame
        self.context = context

    def __call__(self, texts: Sequence[str]) -> Texts:
        """Texts, as they are -> token numbers."""
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        for text, row in zip(texts, rows, strict=True):
            if len(row) > self.context:
                raise SketchseekError(
                    f"the text {text[:40]!r}... has {len(row) - 2} tokens, at most {self.context - 2} fit: shorten it"
                )
        longest = max(map(len, rows), default=2)
        ids = torch.tensor([row + [self.eos] * (longest - len(row)) for row in rows], dtype=torch.int64)
        return Texts(ids.view(len(rows), longest), torch.tensor([len(row) - 1 for row in rows], dtype=torch.int64))

    def of_classes(self, names: Sequence[str], template: str = "a photo of a {}") -> Texts:
        """Class names, spelled as people write them and put in the place of ``{}``."""
        return self([template.replace("{}", spell(name)) for name in names])
