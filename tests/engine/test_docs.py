"""docs/guide/engine.md is true: its Python runs, its numbers and names are those of the code."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sketchseek.engine import Encoder
from sketchseek.engine.golden import LEAST
from sketchseek.engine.sample_inputs import sample_pictures
from sketchseek.export.rounding import TOLERATED
from sketchseek.gallery.relevance import SAMPLE

PAGE = (Path(__file__).parent.parent.parent / "docs" / "guide" / "engine.md").read_text()
TEXT = " ".join(PAGE.split())


def test_the_python_on_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(sample_pictures(1, 300)[0]).save("fish.jpg")
    line = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M1 1 8 8" stroke="black"/></svg>'
    (tmp_path / "fish.svg").write_text(line)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    assert -1 <= names["cosine"] <= 1
    assert np.shape(names["where"]) == (7, 7)


def test_the_numbers_on_the_page_are_those_of_the_code() -> None:
    assert f"the least cosine must be {LEAST['fp32']}" in TEXT
    assert f"cosine below {LEAST['fp32']}, {LEAST['int8']} for int8" in TEXT
    assert TOLERATED == 0.5
    assert "falls by at most half a point" in TEXT
    assert f"up to {SAMPLE:,} photos of the gallery at random" in TEXT


def test_every_file_of_a_model_folder_is_on_the_page(exported: Encoder) -> None:
    for path in exported.folder.iterdir():
        assert f"`{path.name}`" in PAGE, path.name
