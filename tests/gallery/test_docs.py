"""docs/guide/gallery.md is true: its Python runs, its numbers are those of the code."""

import re
from pathlib import Path

import pytest

import sketchseek.engine.models
from sketchseek.gallery import Gallery
from sketchseek.gallery.embedded.index import EXACT_LIMIT, RECALL
from sketchseek.gallery.query import WEIGHTS
from sketchseek.gallery.scan import JUNK
from sketchseek.gallery.watch import EVERY_S
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, jpeg, put

PAGE = (Path(__file__).parent.parent.parent / "docs" / "guide" / "gallery.md").read_text()


def test_the_python_on_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        sketchseek.engine.models, "load_search_model", lambda name: GridModel(name.removeprefix("grid-"))
    )
    fill(tmp_path / "photos", 5)
    for seed in range(12):
        put(tmp_path / "photos" / f"{seed}.jpg", jpeg(seed, taken=f"2023:0{1 + seed % 9}:01 00:00:00"))
    line = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M1 1 8 8" stroke="black"/></svg>'
    (tmp_path / "fish.svg").write_text(line)
    with Gallery.open("my-gallery", "plain") as gallery:
        gallery.add("photos")
    searching, collecting = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    exec(searching, names)
    assert len(names["hits"]) == 10  # type: ignore[arg-type]
    assert len(names["again"]) == 17  # type: ignore[arg-type]
    assert len(names["more"]) == 5  # type: ignore[arg-type]
    exec(collecting, names)
    assert len(capsys.readouterr().out.splitlines()) == len(names["hits"]) == 17  # type: ignore[arg-type]


def test_the_numbers_on_the_page_are_those_of_the_code() -> None:
    text = " ".join(PAGE.split())
    assert f"Up to {EXACT_LIMIT:,} photos a search looks at every vector" in text
    assert f"at least {RECALL * 100:.1f} of 100 of the ten best" in text
    assert EVERY_S == 300
    assert "it also scans the folders every five minutes" in text
    assert {kind for kind, weight in WEIGHTS.items() if weight == 1} == {"sketch", "photo", "text", "colours"}
    assert f"and {WEIGHTS['minus']} for `minus`" in text
    assert f"the mean of the liked photos is added with weight {WEIGHTS['like']}" in text
    assert f"the mean of the disliked ones subtracted with weight {WEIGHTS['unlike']}" in text
    assert {b"@eadir", b"$recycle.bin", b"__macosx"} <= JUNK
