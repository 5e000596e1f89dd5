from pathlib import Path

import pytest

from sketchseek.gallery import Gallery
from tests.gallery.grid_model import GridModel


@pytest.fixture
def model() -> GridModel:
    return GridModel()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """An empty folder for photos."""
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


@pytest.fixture
def gallery(tmp_path: Path, model: GridModel) -> Gallery:
    """An empty gallery with the test model."""
    return Gallery.open(tmp_path / "gallery", model)
