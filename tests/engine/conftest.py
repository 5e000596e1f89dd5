import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sketchseek.engine import Encoder
from sketchseek.engine.folder import CONFIG, FileFacts
from sketchseek.engine.sample_inputs import sample_pictures
from sketchseek.export import export
from sketchseek.pictures import Sketch, sketch_from_strokes

torch.set_num_threads(1)  # the tiny CLIP is too small to share out


@pytest.fixture(scope="session")
def exported(tiny_clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """The tiny CLIP as a model folder, opened."""
    return export(tiny_clip_folder, tmp_path_factory.mktemp("exported") / "tiny")


@pytest.fixture
def folder(exported: Encoder, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(exported.folder, tmp_path / "model"))


def put(folder: Path, name: str, data: bytes) -> None:
    """Write a file of a model folder as if it had always been so: with a right checksum in the record."""
    (folder / name).write_bytes(data)
    written = json.loads((folder / CONFIG).read_text())
    facts = FileFacts.of(data)
    written["files"][name] = {"size": facts.size, "sha256": facts.sha256}
    (folder / CONFIG).write_text(json.dumps(written))


@pytest.fixture(scope="session")
def photos() -> list[NDArray[np.uint8]]:
    """Made photos of several shapes."""
    shapes = [(224, 224), (300, 150), (64, 500), (224, 300), (1, 9)] * 4
    return [sample_pictures(1, 512, seed)[0, :height, :width] for seed, (height, width) in enumerate(shapes)]


@pytest.fixture(scope="session")
def sketches() -> list[Sketch]:
    """Strokes that go round."""
    angles = np.linspace(0, 6, 30)
    return [
        sketch_from_strokes([[list(100 * np.cos(turn * angles)), list(80 * np.sin(angles))]]) for turn in range(1, 6)
    ]
