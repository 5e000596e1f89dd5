"""Tokens equal those of the tokenizers that the models were published with."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketchseek.engine.convert import ConvertError
from sketchseek.engine.convert.texts import bytes_to_letters, tokenizer_json, tokenizer_of_merges
from sketchseek.tokenizer import MAX_TOKENIZER, Tokenizer
from tests.engine.convert.conftest import unigram_tokenizer

TEXTS = ["A Photo of a RED Fish", "cat", "", "the  sea\tat night, not a toy!", "l'été à Zürich 2024", "猫 と 犬"]


def saved(tokenizer: Any, folder: Path) -> Path:
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def rows(data: bytes, texts: list[str], context: int = 200) -> list[list[int]]:
    tokens = Tokenizer(data, path=Path("tokenizer.json"), context=context)(texts)
    return [ids[: end + 1].tolist() for ids, end in zip(tokens.ids, tokens.ends, strict=True)]


def test_a_list_of_merges_is_clips_tokenizer(tmp_path: Path) -> None:
    from transformers import CLIPTokenizer

    merges: Any = [
        ("c", "a"),
        ("ca", "t</w>"),
        ("r", "e"),
        ("re", "d</w>"),
        ("f", "i"),
        ("fi", "sh</w>"),
        ("s", "h</w>"),
    ]
    path = tmp_path / "bpe.txt.gz"
    path.write_bytes(gzip.compress("\n".join(["#version", *map(" ".join, merges)]).encode()))
    letters = bytes_to_letters()
    tokens = [*letters, *(letter + "</w>" for letter in letters), *map("".join, merges)]
    vocabulary = {token: number for number, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}
    theirs = CLIPTokenizer(vocab=vocabulary, merges=merges)
    assert rows(tokenizer_of_merges(path), TEXTS) == [theirs(text)["input_ids"] for text in TEXTS]


@pytest.mark.parametrize(
    "data",
    [b"", b"no archive", gzip.compress(b"#version\none two three\n"), gzip.compress(b"#")],
    ids=[
        "empty",
        "no archive",
        "three words",
        "no merges",
    ],  # an archive holds the time, and no two workers agree on it
)
def test_what_is_no_list_of_merges_is_one_sentence(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "bpe.txt.gz").write_bytes(data)
    with pytest.raises(ConvertError, match="is not a list of merges"):
        tokenizer_of_merges(tmp_path / "bpe.txt.gz")


def test_a_tokenizer_of_more_tokens_than_the_weights_is_refused(tmp_path: Path) -> None:
    path = saved(unigram_tokenizer(), tmp_path)
    assert path.stat().st_size < MAX_TOKENIZER
    with pytest.raises(ConvertError, match="tokens but the weights only 5: they do not belong together"):
        tokenizer_json(path, cleaning="as they are", context=64, vocabulary=5)
    assert np.all([row[-1] == 1 for row in rows(path.read_bytes(), TEXTS)])
