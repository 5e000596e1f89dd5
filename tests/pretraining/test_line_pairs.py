"""Line drawings become pairs of a dataset that the toolkit reads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sketchseek.datasets import open_dataset
from sketchseek.pictures import load_sketch
from tests.pretraining.stand_ins import PRETRAINING, write_packages, write_pretraining_data

UNTRAINED = """
import sys, torch
from contours import Contours
torch.manual_seed(0)
torch.save({name: p for name, p in Contours().state_dict().items() if not name.startswith("stem")}, sys.argv[1])
"""


@pytest.mark.slow  # three processes that import torch
def test_every_training_photo_gets_line_drawings_of_its_own(tmp_path: Path) -> None:
    packages = write_packages(tmp_path / "packages")
    data = write_pretraining_data(tmp_path / "data", photos=2)
    contours, out = tmp_path / "contours.pt", tmp_path / "lines"

    def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (packages, PRETRAINING)))}
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)

    made = run("-c", UNTRAINED, contours)
    assert made.returncode == 0, made.stderr[-2000:]
    script = (PRETRAINING / "line_pairs.py", data, contours, out, "--count", "3")
    done = run(*script)
    assert done.returncode == 0, done.stderr[-2000:]

    dataset, before = open_dataset(str(out)), open_dataset(str(data / "sketchy"))
    assert {photo.path for photo in dataset.photos} == {photo.path for photo in before.photos}
    added = {drawing.path: drawing for drawing in dataset.sketches if "-lines" in drawing.path}
    assert len(dataset.sketches) - len(added) == len(before.sketches)
    assert {drawing.label for drawing in added.values()} == {"cat", "cow"}
    instances = [drawing.instance for drawing in added.values()]
    assert None not in instances and len(instances) == 12
    for path, drawing in added.items():
        load_sketch(out / path)
        assert Path(path).name.startswith(f"{Path(str(drawing.instance)).stem}-lines")

    again = run(*script)
    assert again.returncode == 1 and "exists: remove it" in again.stderr
