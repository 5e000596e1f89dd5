import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sketchseek.pictures import header, limits, sources, strokes, structure, svg
from sketchseek.pictures.formats import HEIF
from tests.pictures.corpus import scene

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "guide" / "pictures.md").read_text()


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(scene(600, 400)).save(tmp_path / "photo.jpg")
    Image.fromarray(scene()).save(tmp_path / "drawing.png")
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, np.ndarray] = {}
    exec(example, names)
    assert names["photo"].dtype == np.uint8
    assert min(names["photo"].shape[:2]) >= 224
    assert names["pixels"].shape == names["drawn"].shape == (3, 224, 224)


@pytest.mark.parametrize(
    "said",
    [
        f"| {limits.MAX_PIXELS // 10**6} million; `{limits.VARIABLE}`",
        f"| {sources.MAX_FILE_BYTES >> 20} MB; of an SVG {svg.MAX_SVG_BYTES >> 20} MB,",
        f"of strokes {strokes.MAX_STROKES_BYTES >> 20} MB |",
        f"| a side of a picture | {limits.MAX_SIDE:,} pixels |",
        f"| {limits.PIXEL_BYTES} bytes for each pixel of the limit and {limits.SPARE_MEMORY // 10**6} MB more,",
        f"to at most {header.LEAST_AREA // 10**6} million pixels and {header.LONGEST_SIDE:,} a side",
        f"HEIC counts as {header.PIXEL_BYTES[HEIF]} bytes a pixel",
        f"| scans of a JPEG | {structure.MAX_SCANS} |",
        f"| {structure.MAX_SEGMENTS:,} segments and {structure.MAX_HEADER >> 20} MB in front of a JPEG's pixels",
        f"{structure.MAX_OTHER_CHUNKS:,} chunks of a PNG",
        f"{structure.MAX_PIECES:,} strips or tiles",
        f"| {strokes.MAX_POINTS:,}, coordinates",
        f"| {svg.MAX_ELEMENTS:,} elements, {svg.SECONDS} s of processor time",
    ],
)
def test_the_limits_are_those_in_force(said: str) -> None:
    assert said in PAGE
