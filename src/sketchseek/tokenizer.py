"""Texts -> token numbers, by the tokenizer.json of the weights; the same code for training and search."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer as FastTokenizer

from sketchseek.errors import SketchseekError


@dataclass(frozen=True)
class Tokens:
    """Token numbers of n texts, cropped to the longest.

    ``ids``: int64 (n, longest), SOS first if the model has one; after EOS padding, which the graphs hide or replace.
    ``ends``: int64 (n,), the index of each EOS.
    """

    ids: NDArray[np.int64]
    ends: NDArray[np.int64]


MAX_TOKENIZER = 256 * 2**20  # bytes of a tokenizer.json: that of a quarter of a million tokens has 34 MB
_LONGEST = 64  # characters of a token, more than in any CLIP's: a longer text never fits


class Tokenizer:
    """A tokenizer as CLIP and SigLIP use it: EOS after a text, and CLIP has SOS before it.

    ``json``: the content of a tokenizer.json; ``path``: its path, for messages. ``context``: the longest text, in
    tokens with SOS and EOS. A longer text is an error, because the embedding of a part would mean something else.
    """

    def __init__(self, json: bytes, *, path: Path, context: int) -> None:
        self._path = path
        try:
            self._tokenizer = FastTokenizer.from_buffer(json)
        except BaseException as error:
            raise _failed(error, f"{path} is not a readable tokenizer") from None
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        # A user's "<|endoftext|>" is ordinary text.
        self._tokenizer.encode_special_tokens = True
        (frame,) = self._rows([""])
        if len(frame) not in (1, 2):
            raise SketchseekError(
                f"{path} does not put one token after a text and at most one before it, as tokenizers of CLIP and"
                " SigLIP do"
            )
        self.frame = len(frame)  # tokens around a text
        self.sos, self.eos = frame[0], frame[-1]
        self.context = context

    @property
    def vocabulary(self) -> int:
        """The number of tokens it knows."""
        return int(self._tokenizer.get_vocab_size())

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """Texts -> token numbers; no prompt template is added."""
        for text in texts:
            if len(text) > _LONGEST * self.context:
                raise SketchseekError(
                    f"the text {text[:40]!r}... has {len(text)} characters, at most {_LONGEST * self.context} are read:"
                    " shorten it"
                )
        rows = self._rows(texts)
        for text, row in zip(texts, rows, strict=True):
            if len(row) > self.context:
                raise SketchseekError(
                    f"the text {text[:40]!r}... has {len(row) - self.frame} tokens, at most"
                    f" {self.context - self.frame} fit: shorten it"
                )
        ids = np.full((len(rows), max(map(len, rows), default=self.frame)), self.eos, np.int64)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
        return Tokens(ids, np.array([len(row) - 1 for row in rows], np.int64))

    def _rows(self, texts: Sequence[str]) -> list[list[int]]:
        try:
            return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        except BaseException as error:
            raise _failed(error, f"{self._path} fails on a text") from None


def _failed(error: BaseException, what: str) -> BaseException:
    """The error to raise for one of the library, which raises no narrower classes, and panics outside ``Exception``."""
    if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
        return error
    return SketchseekError(f"{what}: {' '.join(str(error).split())[:200]}")
