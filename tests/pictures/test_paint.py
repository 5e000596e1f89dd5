"""What drawings say about colours: strokes that have some, and coloured pixels of a file given for its colours."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sketchseek.colours import CELLS
from sketchseek.pictures import PictureError, Preprocessing, RasterSketch, StrokeSketch, fit, sketch_from_strokes
from sketchseek.pictures.paint import load_paint, paint_of

ABOVE, BELOW = [[10, 90], [10, 10]], [[10, 90], [70, 70]]


def drawn(*colours: str | None) -> StrokeSketch:
    return sketch_from_strokes([ABOVE, BELOW], sheet=(100, 80), colours=colours)


def picture(paper: str = "white") -> bytes:
    """A blue bar above, a red one below and a black one between them."""
    image = Image.new("RGB", (240, 240), paper)
    pen = ImageDraw.Draw(image)
    for colour, top in (("#2b6cd4", 20), ("black", 120), ("#d62828", 200)):
        pen.rectangle((20, top, 220, top + 20), fill=colour)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def test_strokes_say_where_their_colour_is() -> None:
    found = paint_of(drawn("#2b6cd4", "#d62828"))
    assert found is not None
    assert found.colours.tolist() == [[43, 108, 212], [214, 40, 40]]
    blue, red = found.cover
    assert blue.shape == (CELLS, CELLS)
    assert set(np.nonzero(blue)[0]) == {1}  # 10 of 80 is in the second row of twelve
    assert set(np.nonzero(red)[0]) == {10}


def test_black_strokes_say_nothing_and_shape_never_depends_on_colour() -> None:
    assert paint_of(drawn(None, None)) is None
    assert paint_of(sketch_from_strokes([ABOVE])) is None
    mixed = paint_of(drawn(None, "#d62828"))
    assert mixed is not None
    assert mixed.colours.tolist() == [[214, 40, 40]]
    record = Preprocessing(size=32)
    assert (fit(drawn("#2b6cd4", "#d62828"), record) == fit(drawn(None, None), record)).all()


@pytest.mark.parametrize(
    ("colours", "reason"),
    [
        (["#2b6cd4"], "not one for each stroke"),
        ("ab", "not one for each stroke"),
        ([None, "red"], "of the form"),
        ([None, 7], "of the form"),
        ([None, []], "of the form"),
        ([None, "#2b6cd4\n"], "of the form"),
    ],
)
def test_wrong_colours_are_one_sentence(colours: list[str | None], reason: str) -> None:
    with pytest.raises(PictureError, match=reason):
        sketch_from_strokes([ABOVE, BELOW], colours=colours)


def test_there_are_at_most_sixteen_colours() -> None:
    many = [f"#0000{number:02x}" for number in range(17)]
    assert sketch_from_strokes([ABOVE] * 16, colours=many[:16]).colours is not None
    with pytest.raises(PictureError, match="has more than 16 colours"):
        sketch_from_strokes([ABOVE] * 17, colours=many)


@pytest.mark.parametrize("paper", ["white", "black"])
def test_a_file_says_where_its_coloured_pixels_are(paper: str) -> None:
    found = load_paint(picture(paper))
    assert found.colours.tolist() == [[43, 108, 212], [214, 40, 40]]
    assert [set(np.nonzero(cover > 0.2)[0]) for cover in found.cover] == [{1}, {10}]


def test_an_svg_says_so_too(tmp_path: Path) -> None:
    line = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M1 1H8" stroke="#2b6cd4"/></svg>'
    (tmp_path / "a.svg").write_text(line)
    assert np.abs(load_paint(tmp_path / "a.svg").colours.astype(int)[0] - (43, 108, 212)).max() < 16


def test_without_colours_it_is_one_sentence() -> None:
    grey = np.full((9, 9, 3), 100, np.uint8)
    for source in (RasterSketch(grey), drawn(None, None), b"[[[1,2],[1,2]]]"):
        with pytest.raises(PictureError, match=r"has no colours|no coloured strokes|strokes without colours"):
            load_paint(source)
