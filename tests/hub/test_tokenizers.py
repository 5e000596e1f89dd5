"""Texts are cleaned as the tokenizers that models were published with do it, and padded with the token they name."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketchseek.errors import SketchseekError
from sketchseek.hub.tokenizers import cleaned, padding_token, siglip_cleaning
from tests.engine.convert.conftest import gemma_tokenizer, unigram_tokenizer
from tests.engine.convert.test_texts import TEXTS, rows, saved


def test_siglip_2_reads_lower_case_as_transformers_does(tmp_path: Path) -> None:
    from transformers import Siglip2Tokenizer

    path = saved(gemma_tokenizer(), tmp_path)
    theirs = Siglip2Tokenizer.from_pretrained(tmp_path, add_eos_token=True)
    assert siglip_cleaning(path) == "lower case"
    data = cleaned(path, "lower case")
    wanted = [[*(token for token in theirs(text, add_special_tokens=False)["input_ids"]), 1] for text in TEXTS]
    assert rows(data, TEXTS) == wanted


def canonical(text: str) -> str:
    """The steps of SigLIP's own tokenizer, written out."""
    import re
    import string

    text = text.lower().translate(str.maketrans("", "", string.punctuation))
    return re.sub(r"\s+", " ", text).strip()


@settings(max_examples=60)
@given(st.text("aAbcZ é.,!?-_'\"()[]{}~\t\n", max_size=30))
def test_siglip_omits_punctuation(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = saved(unigram_tokenizer(), tmp_path_factory.getbasetemp())
    plain = cleaned(path, "as they are")
    data = cleaned(path, siglip_cleaning(path))
    assert rows(data, [text]) == rows(plain, [canonical(text)])


@pytest.mark.parametrize(
    ("file", "content", "token"),
    [
        ("tokenizer_config.json", {"pad_token": "</s>"}, 1),
        ("tokenizer_config.json", {"pad_token": {"content": "<pad>"}}, 0),
        ("special_tokens_map.json", {"pad_token": "a"}, 18),
        ("tokenizer_config.json", {"pad_token": None}, None),
        ("other.json", {"pad_token": "</s>"}, None),
    ],
)
def test_the_files_beside_a_tokenizer_name_the_padding(
    tmp_path: Path, file: str, content: dict[str, Any], token: int | None
) -> None:
    path = saved(unigram_tokenizer(), tmp_path)
    (tmp_path / file).write_text(json.dumps(content))
    assert padding_token(path) == token


def test_a_padding_token_that_the_tokenizer_lacks_is_one_sentence(tmp_path: Path) -> None:
    path = saved(unigram_tokenizer(), tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"pad_token": "<none>"}')
    with pytest.raises(SketchseekError, match="does not have the padding token '<none>' that the files beside it name"):
        padding_token(path)


def test_a_normalizer_of_any_shape_is_left_to_the_reader_of_tokenizers(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    for own in ({"type": "Sequence"}, {"type": "Sequence", "normalizers": 3}, [1], "x", "\ud800", None):
        path.write_text(json.dumps({"normalizer": own, "model": own}))
        assert isinstance(cleaned(path, siglip_cleaning(path)), bytes)
