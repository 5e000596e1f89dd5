import json
from pathlib import Path
from typing import Any

import pytest

from sketchseek import SketchseekError
from sketchseek import tokenizer as module
from sketchseek.engine.folder import SHIPPED
from sketchseek.tokenizer import Tokenizer

PATH = SHIPPED / "default" / "tokenizer.json"


def changed(**parts: Any) -> bytes:
    return json.dumps(json.loads(PATH.read_bytes()) | parts).encode()


def test_a_pattern_that_panics_is_one_sentence() -> None:
    pattern = {"type": "Split", "pattern": {"Regex": "(x+x+)+y"}, "behavior": "Removed", "invert": False}
    tokenizer = Tokenizer(changed(pre_tokenizer=pattern), path=Path("bad.json"), context=77)
    assert len(tokenizer(["cat"]).ids) == 1
    with pytest.raises(SketchseekError, match=r"bad\.json fails on a text: Onig"):
        tokenizer(["x" * 40])


def test_an_interrupt_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = Tokenizer(PATH.read_bytes(), path=PATH, context=77)

    class Interrupted:
        def encode_batch(self, texts: list[str]) -> Any:
            raise KeyboardInterrupt

        from_buffer = classmethod(lambda cls, data: (_ for _ in ()).throw(KeyboardInterrupt))

    monkeypatch.setattr(tokenizer, "_tokenizer", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        tokenizer(["cat"])
    monkeypatch.setattr(module, "FastTokenizer", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        Tokenizer(b"", path=PATH, context=77)


def test_a_text_that_cannot_fit_is_refused_before_it_is_read() -> None:
    tokenizer = Tokenizer(PATH.read_bytes(), path=PATH, context=77)
    with pytest.raises(SketchseekError, match=r"has 100000000 characters, at most 4928 are read: shorten it"):
        tokenizer(["x" * 100_000_000])


def test_a_character_that_is_none_is_one_sentence() -> None:
    tokenizer = Tokenizer(PATH.read_bytes(), path=PATH, context=77)
    with pytest.raises(SketchseekError, match=r"tokenizer\.json fails on a text"):
        tokenizer(["cat \udcff"])
