"""Held to ``fit`` itself: a mark in the picture must land where the extent says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.pictures import Preprocessing, RasterSketch, Sketch, fit, sketch_from_strokes
from sketchseek.pictures.extent import extent

FITS = st.sampled_from(["squash", "pad", "crop"])
SIDES = st.integers(40, 160)
SIZE = 96


def landed(picture: "np.ndarray | Sketch", record: Preprocessing) -> tuple[float, float]:
    """Middle of the red mark in what the model sees, in fractions of its square."""
    seen = fit(picture, record).astype(int)
    red = (seen[..., 0] - seen[..., 1] > 100).nonzero()
    return float(red[1].mean() + 0.5) / SIZE, float(red[0].mean() + 0.5) / SIZE


def expected(mark: tuple[float, float], box: tuple[float, float, float, float]) -> tuple[float, float]:
    return (mark[0] - box[0]) / (box[2] - box[0]), (mark[1] - box[1]) / (box[3] - box[1])


@given(FITS, SIDES, SIDES)
def test_a_mark_on_a_photo_lands_where_the_extent_says(how: str, width: int, height: int) -> None:
    photo = np.full((height, width, 3), 255, np.uint8)
    x, y = width // 2 + 6, height // 2 - 6
    photo[y - 5 : y + 5, x - 5 : x + 5] = (255, 0, 0)
    record = Preprocessing(size=SIZE, fit=how)  # type: ignore[arg-type]
    assert landed(photo, record) == pytest.approx(
        expected((x / width, y / height), extent(photo, record)), abs=1.5 / SIZE
    )


@given(FITS, SIDES, SIDES, st.sampled_from(["ink", "as_drawn"]))
def test_a_mark_on_a_drawing_lands_where_the_extent_says(how: str, width: int, height: int, placement: str) -> None:
    drawing = np.full((height, width, 3), 255, np.uint8)
    drawing[height // 4 : height // 4 + 3, width // 4 : width // 2 + 20] = 0
    x, y = width // 2 + 6, height // 2 - 6
    drawing[y - 5 : y + 5, x - 5 : x + 5] = (255, 0, 0)
    record = Preprocessing(size=SIZE, fit=how, placement=placement)  # type: ignore[arg-type]
    picture = RasterSketch(drawing)
    assert landed(picture, record) == pytest.approx(
        expected((x / width, y / height), extent(picture, record)), abs=1.5 / SIZE
    )


@given(FITS, SIDES, SIDES, st.sampled_from(["ink", "as_drawn"]), st.booleans())
def test_strokes_land_where_the_extent_says(how: str, width: int, height: int, placement: str, sheet: bool) -> None:
    """A small cross: the middle of its ink is where its middle was drawn."""
    x, y = width / 2 + 5, height / 2 - 5
    cross = [[[x - 8, x + 8], [y, y]], [[x, x], [y - 8, y + 8]]]
    sketch = sketch_from_strokes(cross, sheet=(width, height) if sheet else None)
    record = Preprocessing(size=SIZE, fit=how, placement=placement, fill=(255, 255, 255))  # type: ignore[arg-type]
    ink = (fit(sketch, record).max(axis=-1) < 128).nonzero()
    at = (float(ink[1].mean() + 0.5) / SIZE, float(ink[0].mean() + 0.5) / SIZE)
    mark = (x / width, y / height) if sheet else (0.5, 0.5)
    assert at == pytest.approx(expected(mark, extent(sketch, record)), abs=1.5 / SIZE)


def test_what_has_no_extent_is_the_whole() -> None:
    assert extent(sketch_from_strokes([[[5], [5]]]), Preprocessing()) == (0, 0, 1, 1)
