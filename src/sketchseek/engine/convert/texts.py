"""The tokenizer of a published model -> the tokenizer.json of a model folder, and the token that pads its texts."""

import json
from pathlib import Path
from typing import Any

from sketchseek.engine.convert.checkpoint import ConvertError
from sketchseek.tokenizer import Tokenizer
from sketchseek.untrusted import parse_json, read_bounded

MAX_TOKENIZER = 256 * 2**20  # bytes of a tokenizer.json: that of a quarter of a million tokens has 34 MB


def read_object(path: Path, limit: int = 16 * 2**20) -> dict[str, Any]:
    """The object in a JSON file."""
    try:
        value = parse_json(read_bounded(path, limit))
    except OSError as error:
        raise ConvertError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ConvertError(f"{path} is not valid JSON: download it again") from None
    if not isinstance(value, dict):
        raise ConvertError(f"{path} does not hold a JSON object: download it again")
    return value


def padding_token(tokenizer: Path) -> int | None:
    """The number of the token that pads texts, as the files beside a tokenizer.json say; None if none does."""
    written = read_object(tokenizer, MAX_TOKENIZER)
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        beside = tokenizer.with_name(name)
        token = read_object(beside).get("pad_token") if beside.is_file() else None
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
    raise ConvertError(f"{path} does not have the padding token {token[:40]!r} that the files beside it name")


def tokenizer_json(path: Path, *, lower_case: bool, context: int, vocabulary: int | None) -> bytes:
    """The content for a model folder; ``lower_case``: the model was trained on texts in lower case."""
    written = read_object(path, MAX_TOKENIZER)
    if lower_case and "Lowercase" not in json.dumps(written.get("normalizer")):
        steps = [step for step in (_canonical(written), written.get("normalizer")) if step]
        written["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, *_flat(steps)]}
    written["padding"] = written["truncation"] = None
    data = json.dumps(written, separators=(",", ":"), ensure_ascii=False).encode()
    known = Tokenizer(data, path=path, context=context).vocabulary
    if vocabulary is not None and known > vocabulary:
        raise ConvertError(f"{path} has {known} tokens but the weights only {vocabulary}: they do not belong together")
    return data


def _canonical(written: dict[str, Any]) -> dict[str, Any] | None:
    """SigLIP's first generation, whose tokenizer is a unigram model, also omits punctuation."""
    if (written.get("model") or {}).get("type") != "Unigram":
        return None
    return {
        "type": "Sequence",
        "normalizers": [
            {"type": "Replace", "pattern": {"Regex": r"""[!-/:-@\[-`{-~]"""}, "content": ""},
            {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
            {"type": "Strip", "strip_left": True, "strip_right": True},
        ],
    }


def _flat(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    flat: list[dict[str, Any]] = []
    for step in steps:
        flat += step["normalizers"] if step.get("type") == "Sequence" else [step]
    return flat
