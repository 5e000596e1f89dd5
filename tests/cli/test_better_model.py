"""The recipe "a better model", for each way models are published, where torch is not installed.

Get it -> index 50 photos with it -> search by drawing and by words -> back to the old model -> forth again.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sketchseek.gallery import Gallery
from tests.cli.torch_free import run
from tests.gallery.photos import fill
from tests.hub.loopback import Hub, serve
from tests.hub.published import MAKERS

PHOTOS = 50
DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M1 1 8 8" stroke="black"/></svg>'


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A repository ``published/FAMILY`` of each family."""
    with serve() as hub:
        for family, make in MAKERS.items():
            folder = tmp_path_factory.mktemp(family)
            make(folder)
            hub.add(f"published/{family}", folder)
        yield hub


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home") / "photos"
    fill(folder, PHOTOS)
    return folder


QUICK = ("clip", "siglip2")
FAMILIES = [pytest.param(family, marks=[] if family in QUICK else pytest.mark.slow) for family in MAKERS]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_better_model_is_a_few_commands(family: str, hub: Hub, photos: Path, tmp_path: Path) -> None:
    drawing = tmp_path / "drawing.svg"
    drawing.write_text(DRAWING)
    name = f"published--{family}"
    search = ["search", "--min-score", "-1", "--json", "-k", str(PHOTOS)]
    environment = hub.environment(tmp_path) | {"SKETCHSEEK_GALLERY": str(tmp_path / "gallery")}
    printed = run(
        [
            ["index", str(photos), "--json"],
            ["models", "get", f"published/{family}"],
            [*search, "--text", "a cat"],  # still with the old one
            ["index", "--model", name, "--json"],
            [*search, "--text", "a cat"],
            [*search, str(drawing)],
            ["index", "--model", "default", "--json"],
            [*search, "--text", "a cat"],
            ["index", "--model", name, "--json"],
            [*search, "--text", "a cat"],
        ],
        environment,
    )
    before, by_words, by_drawing, back, forth = (json.loads(str(printed[step]["out"])) for step in (2, 4, 5, 7, 9))
    assert json.loads(str(printed[3]["out"]))["added"] == PHOTOS
    assert len(by_words) == len(by_drawing) == len(back) == PHOTOS
    for hits in (by_words, by_drawing):
        scores = [hit["score"] for hit in hits]
        assert np.isfinite(scores).all() and len({round(score, 4) for score in scores}) > 3
    assert back == before != by_words == forth
    for step in (6, 8):  # nothing is encoded when switching
        report = json.loads(str(printed[step]["out"]))
        assert (report["added"], report["unchanged"]) == (0, PHOTOS)
    with Gallery.open(tmp_path / "gallery", readonly=True) as gallery:
        assert [(one.name, one.vectors, one.current) for one in gallery.stats().models] == [
            ("default", PHOTOS, False),
            (name, PHOTOS, True),
        ]
