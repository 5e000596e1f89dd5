"""The tokenizer of a published model -> the tokenizer.json of a model folder."""

import gzip
import zlib
from pathlib import Path

from tokenizers import AddedToken, Regex, models, normalizers, pre_tokenizers, processors
from tokenizers import Tokenizer as FastTokenizer

from sketchseek.engine.convert.checkpoint import ConvertError
from sketchseek.hub.tokenizers import Cleaning, cleaned
from sketchseek.tokenizer import MAX_TOKENIZER, Tokenizer


def tokenizer_json(path: Path, *, cleaning: Cleaning, context: int, vocabulary: int | None) -> bytes:
    """The content for a model folder, which also does the ``cleaning`` if the tokenizer does not yet."""
    data = cleaned(path, cleaning)
    known = Tokenizer(data, path=path, context=context).vocabulary
    if vocabulary is not None and known > vocabulary:
        raise ConvertError(f"{path} has {known} tokens but the weights only {vocabulary}: they do not belong together")
    return data


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
