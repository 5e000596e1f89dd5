"""What the files of a published model say of its tokenizer: which token pads texts, and how texts are cleaned first."""

import json
from pathlib import Path
from typing import Any, Literal

from sketchseek.errors import SketchseekError
from sketchseek.hub.files import read_json
from sketchseek.tokenizer import MAX_TOKENIZER

__all__ = ["Cleaning", "cleaned", "padding_token", "siglip_cleaning"]

# How texts were changed before they were made tokens: not at all, to lower case, or also without punctuation.
Cleaning = Literal["as they are", "lower case", "canonical"]

_CANONICAL = (
    {"type": "Replace", "pattern": {"Regex": r"""[!-/:-@\[-`{-~]"""}, "content": ""},
    {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
    {"type": "Strip", "strip_left": True, "strip_right": True},
)


def padding_token(tokenizer: Path) -> int | None:
    """The number of the token that pads texts, as the files beside a tokenizer.json say; None if none does."""
    written = read_json(tokenizer, MAX_TOKENIZER)
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        beside = tokenizer.with_name(name)
        token = read_json(beside).get("pad_token") if beside.is_file() else None
        if isinstance(token, dict):
            token = token.get("content")
        if isinstance(token, str):
            return _number_of(written, token, tokenizer)
    padding = written.get("padding")
    return int(padding["pad_id"]) if isinstance(padding, dict) and isinstance(padding.get("pad_id"), int) else None


def _number_of(written: dict[str, Any], token: str, path: Path) -> int:
    for added in written.get("added_tokens") or []:
        if isinstance(added, dict) and added.get("content") == token and isinstance(added.get("id"), int):
            return int(added["id"])
    vocabulary = (written.get("model") or {}).get("vocab")
    if isinstance(vocabulary, dict) and isinstance(vocabulary.get(token), int):
        return int(vocabulary[token])
    if isinstance(vocabulary, list):  # of a unigram model: pairs of token and score
        for number, entry in enumerate(vocabulary):
            if isinstance(entry, list) and entry and entry[0] == token:
                return number
    raise SketchseekError(f"{path} does not have the padding token {token[:40]!r} that the files beside it name")


def siglip_cleaning(tokenizer: Path) -> Cleaning:
    """SigLIP's first generation, whose tokenizer is a unigram model, omits punctuation; the second does not."""
    model = read_json(tokenizer, MAX_TOKENIZER).get("model")
    return "canonical" if isinstance(model, dict) and model.get("type") == "Unigram" else "lower case"


def cleaned(tokenizer: Path, cleaning: Cleaning) -> bytes:
    """The content of a tokenizer.json that also does the ``cleaning``, if it does not yet; it neither pads nor cuts."""
    written = read_json(tokenizer, MAX_TOKENIZER)
    own = written.get("normalizer")
    if cleaning != "as they are" and "Lowercase" not in json.dumps(own):
        steps = [{"type": "Lowercase"}, *(_CANONICAL if cleaning == "canonical" else ())]
        inner = own.get("normalizers") if isinstance(own, dict) and own.get("type") == "Sequence" else None
        after = inner if isinstance(inner, list) else [own] if own else []
        written["normalizer"] = {"type": "Sequence", "normalizers": [*steps, *after]}
    written["padding"] = written["truncation"] = None
    # Half a letter (a lone surrogate) is left to the reader of tokenizers, which refuses it.
    return json.dumps(written, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass")
