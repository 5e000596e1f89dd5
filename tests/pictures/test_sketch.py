from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from sketchseek.pictures import CLIP_SKETCHES, PictureError, RasterSketch, StrokeSketch, fit, load_sketch
from tests.pictures.corpus import corpus, saved, svg

Colour = str | tuple[int, ...]


def house(paper: Colour = "white", ink: Colour = "black", mode: str = "RGB") -> Image.Image:
    image = Image.new(mode, (200, 160), paper)
    pen = ImageDraw.Draw(image)
    pen.line([(40, 120), (40, 60), (100, 20), (160, 60), (160, 120), (40, 120)], fill=ink, width=4)
    return image


WANTED = fit(load_sketch(saved(house(), "PNG")), CLIP_SKETCHES)


@pytest.mark.parametrize(
    "image",
    [
        house("black", "white"),
        house((0, 0, 0, 0), (0, 0, 0, 255), "RGBA"),
        house((255, 255, 255, 0), (0, 0, 0, 255), "RGBA"),
        house((0, 0, 0, 0), (255, 255, 255, 255), "RGBA"),
        house((0, 0, 0, 255), (255, 255, 255, 255), "RGBA"),
        house().convert("L"),
        house().convert("1"),
        house().quantize(4),
    ],
    ids=[
        "white-on-black",
        "transparent",
        "transparent-white",
        "white-on-nothing",
        "opaque",
        "grey",
        "bilevel",
        "palette",
    ],
)
def test_paper_and_ink_of_any_kind_give_the_same_drawing(image: Image.Image) -> None:
    drawn = fit(load_sketch(saved(image, "PNG")), CLIP_SKETCHES)
    assert np.abs(drawn.astype(int) - WANTED).mean() < 1


strokes = st.lists(
    st.lists(st.tuples(st.integers(10, 190), st.integers(10, 150)), min_size=2, max_size=6), min_size=1, max_size=4
).filter(lambda drawn: any(len(set(stroke)) > 1 for stroke in drawn))


@settings(max_examples=40)
@given(strokes, st.integers(1, 6), st.sampled_from(["white on black", "transparent", "white on nothing"]))
def test_any_drawing_looks_the_same_on_any_paper(drawn: list[list[tuple[int, int]]], width: int, how: str) -> None:
    ink = Image.new("L", (200, 160))
    pen = ImageDraw.Draw(ink)
    for stroke in drawn:
        pen.line(stroke, fill=255, width=width)
    other = {
        "white on black": ink,
        "transparent": Image.merge("RGBA", (*[Image.new("L", ink.size)] * 3, ink)),
        "white on nothing": Image.merge("RGBA", (*[Image.new("L", ink.size, 255)] * 3, ink)),
    }[how]
    wanted, found = (fit(load_sketch(saved(image, "PNG")), CLIP_SKETCHES) for image in (ImageOps.invert(ink), other))
    assert np.abs(wanted.astype(int) - found).mean() < 1


def test_a_photo_of_a_drawing_keeps_its_paper() -> None:
    sketch = load_sketch(saved(house("#c8c0b0", "#303040"), "JPEG"))
    assert isinstance(sketch, RasterSketch)
    assert np.median(sketch.pixels) > 150


def test_a_large_sheet_is_kept_small() -> None:
    sketch = load_sketch(saved(house().resize((6000, 4800)), "PNG"))
    assert isinstance(sketch, RasterSketch)
    assert 1024 <= min(sketch.pixels.shape[:2]) < 4096


@pytest.mark.parametrize(
    "data", [saved(Image.new("RGB", (20, 20), colour), "PNG") for colour in ("white", "black", "red")]
)
def test_an_empty_sheet_says_so(data: bytes) -> None:
    with pytest.raises(PictureError, match="nothing is drawn"):
        load_sketch(data, name="empty.png")


def test_every_photo_format_serves_as_a_sketch() -> None:
    for name, data in corpus().items():
        assert isinstance(load_sketch(data, name=name), RasterSketch)


def test_vector_drawings_are_recognised_by_their_content() -> None:
    assert isinstance(load_sketch(svg('<path d="M0 0L90 50" stroke="black"/>')), RasterSketch)
    assert isinstance(load_sketch(b'{"drawing": [[[0, 1], [0, 1]]]}'), StrokeSketch)


@settings(max_examples=200)
@given(st.binary(max_size=200), st.sampled_from([b"", b"[", b"{", b"<svg", b"[[[0,1],[0,1]],", b'{"drawing":']))
def test_noise_is_a_sketch_or_a_picture_error(noise: bytes, start: bytes) -> None:
    try:
        sketch = load_sketch(start + noise, name="s")
    except PictureError as error:
        assert str(error).startswith("s: ")
    else:
        assert fit(sketch, CLIP_SKETCHES).shape == (224, 224, 3)


@pytest.mark.data
def test_real_sketches_open(data_root: Path) -> None:
    sketches = sorted(path for folder in ("sketchy", "quickdraw", "shoes", "contours")
                      for path in (data_root / folder / "sketch").rglob("*.png"))[::199]  # fmt: skip
    assert len(sketches) > 50
    for path in sketches:
        drawn = fit(load_sketch(path), CLIP_SKETCHES)
        assert 0.002 < (drawn < 240).mean() < 0.7
