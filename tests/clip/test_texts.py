"""Words to token numbers: EOS is where it is said to be, whatever people type."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.clip.texts import TextTokenizer
from sketchseek.errors import SketchseekError
from sketchseek.wording import class_in_words


@pytest.fixture(scope="module")
def words(tiny_clip_folder: Path) -> TextTokenizer:
    return TextTokenizer(tiny_clip_folder / "tokenizer.json", context=77, vocabulary=10_000)


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("hot-air_balloon", "hot air balloon"),
        ("car_(sedan)", "car sedan"),
        ("jack-o-lantern", "jack o lantern"),
        ("t-shirt", "t shirt"),
        ("_palm  tree-", "palm tree"),
        ("giraffe", "giraffe"),
    ],
)
def test_class_names_are_spelled_as_people_write(name: str, spelled: str) -> None:
    assert class_in_words(name) == spelled


def test_texts_are_framed_padded_and_cropped_to_the_longest(words: TextTokenizer) -> None:
    texts = words(["a photo of a cat", "cat", ""])
    assert texts.ids.dtype == texts.ends.dtype == torch.int64
    assert texts.ids.shape == (3, int(texts.ends.max()) + 1)
    assert texts.ids[:, 0].tolist() == [words.sos] * 3
    assert texts.ends[2] == 1
    for row, end in zip(texts.ids.tolist(), texts.ends.tolist(), strict=True):
        assert row[end:] == [words.eos] * (len(row) - end)
        assert words.eos not in row[:end]
    assert torch.equal(texts.mask.sum(1), texts.ends + 1)


def test_templates_take_the_spelled_name(words: TextTokenizer) -> None:
    named = words.of_classes(["hot-air_balloon"], "a sketch of a {}, {}")
    assert torch.equal(named.ids, words(["a sketch of a hot air balloon, hot air balloon"]).ids)
    braces = words.of_classes(["{0}"], "a photo of a {}")
    assert torch.equal(braces.ids, words(["a photo of a {0}"]).ids)


def test_no_texts_give_no_rows(words: TextTokenizer) -> None:
    texts = words([])
    assert texts.ids.shape[0] == texts.ends.shape[0] == 0


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_whatever_is_typed_eos_ends_it_once(words: TextTokenizer, typed: list[str]) -> None:
    try:
        texts = words(typed)
    except SketchseekError as error:
        assert "shorten it" in str(error)
        return
    for row, end in zip(texts.ids.tolist(), texts.ends.tolist(), strict=True):
        assert row[0] == words.sos
        assert row.index(words.eos) == end


def test_special_tokens_in_a_text_are_words_like_others(words: TextTokenizer) -> None:
    texts = words(["a <|endoftext|> b <|startoftext|>"])
    assert texts.ids[0].tolist().count(words.eos) == 1
    assert texts.ids[0].tolist().count(words.sos) == 1


def test_a_text_fits_to_the_last_token_and_not_beyond(words: TextTokenizer) -> None:
    fits = words(["q " * 75])
    assert fits.ids.shape == (1, 77)
    with pytest.raises(SketchseekError, match=r"'q q q.*'... has 76 tokens, at most 75 fit: shorten it"):
        words(["q " * 76])


def test_a_foreign_tokenizer_is_refused(tiny_clip_folder: Path, tmp_path: Path) -> None:
    good = tiny_clip_folder / "tokenizer.json"
    with pytest.raises(SketchseekError, match=r"has \d+ tokens but the weights only 100"):
        TextTokenizer(good, context=77, vocabulary=100)
    bad = tmp_path / "tokenizer.json"
    bad.write_text("{}")
    with pytest.raises(SketchseekError, match="is not a readable tokenizer"):
        TextTokenizer(bad, context=77, vocabulary=10_000)
    frameless = json.loads(good.read_text()) | {"post_processor": None}
    bad.write_text(json.dumps(frameless))
    with pytest.raises(SketchseekError, match="does not put one token after a text"):
        TextTokenizer(bad, context=77, vocabulary=10_000)


def test_truncation_and_padding_saved_with_a_tokenizer_are_switched_off(
    words: TextTokenizer, tiny_clip_folder: Path, tmp_path: Path
) -> None:
    saved = json.loads((tiny_clip_folder / "tokenizer.json").read_text())
    saved["truncation"] = {"max_length": 4, "stride": 0, "strategy": "LongestFirst", "direction": "Right"}
    saved["padding"] = {
        "strategy": {"Fixed": 77},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "!",
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(saved))
    other = TextTokenizer(tmp_path / "tokenizer.json", context=77, vocabulary=10_000)
    texts = ["a photo of a cat", "dog"]
    assert torch.equal(other(texts).ids, words(texts).ids)


def test_a_tokenizer_that_takes_forever_ends_in_one_sentence(tmp_path: Path) -> None:
    """And the process ends, though the thread that waits for the tokenizer does not."""
    from tests.engine.test_hostile import slow, split, tokenizer

    path = tmp_path / "tokenizer.json"
    path.write_bytes(tokenizer(pre_tokenizer=split("(x+x+)+y|z"), normalizer=slow()))
    script = (
        "import sys; from pathlib import Path; from sketchseek.clip import texts; texts.SECONDS = 1.0\n"
        "tokenizer = texts.TextTokenizer(Path(sys.argv[1]), context=77, vocabulary=10**6)\n"
        "try: tokenizer(['x' * 4000])\n"
        "except texts.SketchseekError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, timeout=120, check=True)
    # Which of the two comes first depends on the machine: the deadline, or the limit of the regular expressions.
    late = f"{path} takes longer than 1 s for a text: use another tokenizer\n"
    assert done.stdout in (late, f"{path} fails on a text: Onig: Regex search error: retry-limit-in-match over\n")
