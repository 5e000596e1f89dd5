"""A method on a SigLIP becomes a model folder, which computes what torch computes."""

from pathlib import Path
from typing import Any

from sketchseek import load_model
from sketchseek.export import export
from tests.engine.convert.conftest import siglip  # noqa: F401 - a fixture
from tests.export.test_write import write_run

TEXTS = ["A photo, of a cat!", "dog"]


def test_a_run_becomes_a_model(
    siglip: tuple[Path, Any],  # noqa: F811 - the fixture
    tmp_path: Path,
    photos: Any,
    sketches: Any,
) -> None:
    run = write_run(tmp_path / "run", siglip[0], "dp-clip", window=2)
    found, wanted = export(run, tmp_path / "model"), load_model(run, device="cpu")
    for ours, theirs in (
        (found.encode_photos(photos), wanted.encode_photos(photos)),
        (found.encode_sketches(sketches), wanted.encode_sketches(sketches)),
        (found.encode_texts(TEXTS), wanted.encode_texts(TEXTS)),
    ):
        assert ((ours * theirs).sum(axis=1) > 0.9999).all()
    assert found.patches_sketches(sketches).shape == (len(sketches), 16, wanted.size)
