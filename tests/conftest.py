import os
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real sketches and photos; tests that ask for it carry ``@pytest.mark.data``."""
    folder = Path(os.environ.get("SKETCHSEEK_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real sketches and photos at {folder}; name their folder in SKETCHSEEK_DATA")
    return folder
