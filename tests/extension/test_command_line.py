"""A method and a store of another package, from training to searching, through the command line alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.toys import write_data

METHOD = "my_package.mine:Mine"
#: Runs several command lines in one process: importing torch takes seconds, and the toy store ends with its process.
SEVERAL = """
import json, sys
from sketchseek.cli import main
for arguments in json.loads(sys.argv[1]):
    try:
        main(arguments)
    except SystemExit as end:
        if end.code:
            raise
"""


@pytest.fixture
def environment(site: Path, tmp_path: Path) -> dict[str, str]:
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "SKETCHSEEK_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}


def test_a_method_and_a_store_from_training_to_searching(
    environment: dict[str, str], tiny_clip_folder: Path, tmp_path: Path
) -> None:
    def sketchseek(*command_lines: list[object]) -> str:
        lines = json.dumps([[str(word) for word in line] for line in command_lines])
        done = subprocess.run(
            [sys.executable, "-c", SEVERAL, lines],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    data, run, model = write_data(tmp_path / "data"), tmp_path / "run", tmp_path / "model"
    settings = ["--preset", "quick", "--set", "steps=2", "--set", "batch=4", "--set", "validation=none"]
    train = ["train", METHOD, "--data", data, "--backbone", tiny_clip_folder, *settings, "--out", run, "--json"]
    trained = json.loads(sketchseek(train))
    assert (trained["method"], trained["trained_parameters"]) == (METHOD, 16 * 17)
    recipe = (run / "recipe.toml").read_text()
    assert f'method = "{METHOD}"' in recipe
    assert "margin = 0.3" in recipe

    evaluate = ["evaluate", "--model", run, "--data", data, "--bootstrap", 0, "--json"]
    said = sketchseek(evaluate, ["export", run, "--out", model])
    scores, _ = json.JSONDecoder().raw_decode(said)
    assert scores["model"]["name"] == "run"

    gallery = ["--gallery", "toy://photos"]
    said = sketchseek(
        ["index", data / "photo" / "gnu", *gallery, "--model", model],
        ["index", *gallery],
        ["search", data / "sketch" / "gnu" / "p0-1.png", *gallery, "--min-score", "-1", "-k", 3, "--json"],
        ["gallery", "forget", data / "photo" / "gnu" / "p0.png", *gallery],
        ["gallery", "info", *gallery, "--json"],
    )
    first, second, rest = said.split("\n", 2)
    assert first.startswith("6 added")
    assert "6 unchanged, 0 failed" in second
    hits, end = json.JSONDecoder().raw_decode(rest)
    assert len(hits) == 3
    assert all("gnu" in hit["path"] for hit in hits)
    forgotten, info = rest[end:].strip().split("\n", 1)
    assert forgotten.startswith("1 file")
    assert json.loads(info)["photos"] == 5
