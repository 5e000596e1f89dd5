"""The recipe "a better model", for each way models are published, where torch is not installed.

Get it -> index 50 photos with it -> search by drawing and by words -> back to the old model -> forth again.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sketchseek.gallery import Gallery
from tests.gallery.photos import fill
from tests.hub.loopback import Hub, serve
from tests.hub.published import MAKERS

PHOTOS = 50
DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M1 1 8 8" stroke="black"/></svg>'

# Runs the commands of a JSON list one after the other, without torch; prints a JSON list of what each printed.
PROGRAM = """
import contextlib, io, json, sys, time
BLOCKED = {"torch", "transformers", "matplotlib", "sklearn", "open_clip", "optimum"}
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Blocked())
from sketchseek.cli import main
printed = []
for arguments in json.loads(sys.argv[1]):
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    started = time.monotonic()
    try:
        with contextlib.redirect_stdout(out):
            main(arguments)
    except SystemExit as end:
        if end.code:
            sys.exit(f"{arguments} ended with {end.code}")
    out.flush()
    printed.append({"out": out.buffer.getvalue().decode(), "seconds": time.monotonic() - started})
assert not BLOCKED & set(sys.modules)
print(json.dumps(printed))
"""


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


def run(commands: list[list[str]], environment: dict[str, str]) -> list[dict[str, str | float]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(commands)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    printed: list[dict[str, str | float]] = json.loads(done.stdout)
    return printed


@pytest.mark.parametrize("family", MAKERS)
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
