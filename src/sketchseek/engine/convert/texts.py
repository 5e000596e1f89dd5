"""The tokenizer of a published model -> the tokenizer.json of a model folder, and the token that pads its texts."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any, Literal

from tokenizers import AddedToken, Regex, models, normalizers, pre_tokenizers, processors
from tokenizers import Tokenizer as FastTokenizer

from sketchseek.engine.convert.checkpoint import ConvertError
from sketchseek.tokenizer import MAX_TOKENIZER, Tokenizer
from sketchseek.untrusted import parse_json, read_bounded


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


# How texts were changed before they were made tokens: not at all, to lower case, or also without punctuation.
Cleaning = Literal["as they are", "lower case", "canonical"]


def siglip_cleaning(path: Path) -> Cleaning:
    """SigLIP's first generation, whose tokenizer is a unigram model, omits punctuation; the second does not."""
    model = read_object(path, MAX_TOKENIZER).get("model") or {}
    return "canonical" if model.get("type") == "Unigram" else "lower case"


def tokenizer_json(path: Path, *, cleaning: Cleaning, context: int, vocabulary: int | None) -> bytes:
    """The content for a model folder, which also does the ``cleaning`` if the tokenizer does not yet."""
    written = read_object(path, MAX_TOKENIZER)
    own = written.get("normalizer")
    if cleaning != "as they are" and "Lowercase" not in json.dumps(own):
        steps = [{"type": "Lowercase"}, *(_CANONICAL if cleaning == "canonical" else ())]
        after = own["normalizers"] if isinstance(own, dict) and own.get("type") == "Sequence" else [own] if own else []
        written["normalizer"] = {"type": "Sequence", "normalizers": [*steps, *after]}
    written["padding"] = written["truncation"] = None
    data = json.dumps(written, separators=(",", ":"), ensure_ascii=False).encode()
    known = Tokenizer(data, path=path, context=context).vocabulary
    if vocabulary is not None and known > vocabulary:
        raise ConvertError(f"{path} has {known} tokens but the weights only {vocabulary}: they do not belong together")
    return data


_CANONICAL = (
    {"type": "Replace", "pattern": {"Regex": r"""[!-/:-@\[-`{-~]"""}, "content": ""},
    {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
    {"type": "Strip", "strip_left": True, "strip_right": True},
)


def tokenizer_of_merges(path: Path) -> bytes:
    """CLIP's tokenizer from its list of merges (bpe_simple_vocab_16e6.txt.gz), as transformers writes it."""
    merges = _merges(path)
    alphabet = bytes_to_letters()
    tokens = [*alphabet, *(letter + "</w>" for letter in alphabet), *("".join(pair) for pair in merges), *_FRAME]
    tokenizer = FastTokenizer(
        models.BPE(
            vocab={token: number for number, token in enumerate(tokens)}, merges=merges, end_of_word_suffix="</w>"
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    words = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(words), "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in _FRAME])
    start, end = ((token, len(tokens) - 2 + number) for number, token in enumerate(_FRAME))
    tokenizer.post_processor = processors.RobertaProcessing(end, start, trim_offsets=False, add_prefix_space=False)
    return tokenizer.to_str().encode()


_FRAME = ("<|startoftext|>", "<|endoftext|>")
_MERGES = 49152 - 256 - 2  # of the list, as many as CLIP uses


def _merges(path: Path) -> list[tuple[str, str]]:
    try:
        with gzip.open(path) as file:
            text = file.read(MAX_TOKENIZER).decode()
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise ConvertError(f"{path} is not a list of merges ({' '.join(str(error).split())[:100]})") from None
    pairs = [tuple(line.split()) for line in text.split("\n")[1 : _MERGES + 1]]
    if not pairs or not all(len(pair) == 2 for pair in pairs):
        raise ConvertError(f"{path} is not a list of merges: each line after the first must be two parts of a word")
    return [(first, second) for first, second in pairs]


def bytes_to_letters() -> list[str]:
    """The letter for each byte in byte-level tokenizers, in the order of CLIP's vocabulary."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = 256 - len(printable)
    return [*map(chr, printable), *(chr(256 + number) for number in range(others))]
