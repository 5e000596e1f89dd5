import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketchseek.pictures import CLIP_SKETCHES, PictureError, Preprocessing, fit, load_sketch, sketch_from_strokes
from sketchseek.pictures.strokes import MAX_POINTS

DIAGONAL = [[[0, 100], [0, 100]]]
ZIGZAG = [[[0, 50, 100], [0, 80, 0]], [[20, 30], [90, 95]]]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ZIGZAG),
        json.dumps([[xs, ys, list(range(len(xs)))] for xs, ys in ZIGZAG]),
        json.dumps({"word": "cat", "recognized": True, "drawing": ZIGZAG}),
        json.dumps({"drawing": ZIGZAG}) + "\n" + json.dumps({"drawing": DIAGONAL}) + "\n",
        json.dumps({"drawing": ZIGZAG}, indent=2),
        "\ufeff" + json.dumps(ZIGZAG),
        json.dumps(ZIGZAG) + "\r\n" + json.dumps(DIAGONAL),
    ],
    ids=["json", "times", "object", "ndjson", "indented", "byte-order-mark", "lines"],
)
def test_every_spelling_of_strokes_is_the_same_drawing(text: str) -> None:
    wanted = fit(sketch_from_strokes(ZIGZAG), CLIP_SKETCHES)
    np.testing.assert_array_equal(fit(load_sketch(text.encode()), CLIP_SKETCHES), wanted)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        "[[[]]]",
        "[[[], []]]",
        "[[[1, 2], [1]]]",
        "[[[1], [NaN]]]",
        "[[[1], [Infinity]]]",
        "[[[1], [1e999]]]",
        "[[[1], [1e30]]]",
        f"[[[1], [{'9' * 4000}]]]",
        '[[["1"], [1]]]',
        "[[[true], [1]]]",
        "[[[1], [null]]]",
        '{"drawing": {"a": 1}}',
        "[" * 100_000,
        json.dumps(ZIGZAG) + ", and more",
        json.dumps({"drawing": ZIGZAG}, indent=2)[:-3],
        json.dumps([[[0] * (MAX_POINTS + 1), [0] * (MAX_POINTS + 1)]]),
    ],
)
def test_bad_strokes_are_one_sentence(text: str) -> None:
    with pytest.raises(PictureError) as caught:
        load_sketch(text.encode(), name="s.json")
    assert str(caught.value).startswith("s.json: ")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("size", [64, 224])
@pytest.mark.parametrize("share", [0.02, 0.05])
def test_a_line_is_as_wide_as_the_record_says(size: int, share: float) -> None:
    record = Preprocessing(size=size, placement="ink", stroke_width=share, fill=(255, 255, 255))
    for length in (10, 1000):  # whatever size it was drawn at
        drawn = fit(sketch_from_strokes([[[0, length], [0, 0]], [[0, 0], [0, length]]]), record)
        ink = (255 - drawn[size // 2, :, 0].astype(float)).sum() / 255
        assert ink == pytest.approx(share * size, abs=0.75)


def test_strokes_have_widths_of_their_own() -> None:
    record = Preprocessing(size=200, stroke_width=0.02, placement="as_drawn", fit="squash")
    lines = [[[10, 90], [25, 25]], [[10, 90], [75, 75]]]

    def thickness(widths: list[float] | None) -> list[int]:
        middle = fit(sketch_from_strokes(lines, sheet=(100, 100), widths=widths), record)[:, 100, 0] < 128
        return [int(middle[:100].sum()), int(middle[100:].sum())]

    assert thickness(None) == thickness([1, 1]) == [4, 4]
    assert thickness([1, 5]) == [4, 20]
    assert thickness([2.5, 0.5]) == [10, 2]


@pytest.mark.parametrize("widths", [[], [1, 1], [0], [-1], [21], ["1"], [True], [float("nan")], 1, {"0": 1}])
def test_bad_widths_are_one_sentence(widths: object) -> None:
    with pytest.raises(PictureError, match=r"^strokes: the widths are not one number above 0 and up to 20 for each"):
        sketch_from_strokes(DIAGONAL, widths=widths)  # type: ignore[arg-type]


def test_lines_are_smooth_and_their_ends_round() -> None:
    drawn = fit(sketch_from_strokes(DIAGONAL), CLIP_SKETCHES)
    assert len(np.unique(drawn)) > 8
    np.testing.assert_array_equal(drawn, drawn.transpose(1, 0, 2))


def test_a_dot_is_drawn_in_the_middle() -> None:
    drawn = fit(sketch_from_strokes([[[7], [9]]]), CLIP_SKETCHES)
    rows, columns = np.nonzero(drawn[:, :, 0] < 128)
    assert len(rows) > 0
    assert abs(rows.mean() - 111.5) < 1
    assert abs(columns.mean() - 111.5) < 1


@pytest.mark.parametrize(
    ("how", "box"),  # rows and columns that a frame around a sheet twice as wide as high fills
    [("pad", (16, 48, 0, 64)), ("squash", (0, 64, 0, 64)), ("crop", (0, 64, 0, 64))],
)
def test_as_drawn_strokes_honour_the_fit(how: str, box: tuple[int, int, int, int]) -> None:
    record = Preprocessing(size=64, fit=how, fill=(9, 9, 9), placement="as_drawn", stroke_width=0.02)  # type: ignore[arg-type]
    frame = [[[0, 200, 200, 0, 0], [0, 0, 100, 100, 0]], [[90, 110], [50, 50]]]
    drawn = fit(sketch_from_strokes(frame, sheet=(200, 100)), record)
    top, bottom, left, right = box
    outside = np.ones((64, 64), bool)
    outside[top:bottom, left:right] = False
    assert (drawn[outside] == 9).all()
    inside = drawn[top:bottom, left:right, 0]
    assert (inside > 200).mean() > 0.8
    assert inside[:, 32].min() < 100
    sides = inside[8:-8, :2].min(), inside[8:-8, -2:].min()
    assert (max(sides) < 128) == (how != "crop")  # cropping cuts the frame's sides away


points = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=12)


@settings(max_examples=60)
@given(st.lists(points, min_size=1, max_size=5), st.sampled_from(["ink", "as_drawn"]))
def test_any_finite_strokes_can_be_drawn(strokes: list[list[tuple[float, float]]], placement: str) -> None:
    record = Preprocessing(size=32, placement=placement)  # type: ignore[arg-type]
    as_lists = [[[x for x, _ in stroke], [y for _, y in stroke]] for stroke in strokes]
    drawn = fit(sketch_from_strokes(as_lists), record)
    assert drawn.shape == (32, 32, 3)
    assert drawn.min() < 230


@settings(max_examples=40)
@given(st.floats(0.01, 1000), st.floats(-1000, 1000), st.floats(-1000, 1000))
def test_size_and_place_on_the_sheet_do_not_matter(scale: float, dx: float, dy: float) -> None:
    moved = [[[x * scale + dx for x in xs], [y * scale + dy for y in ys]] for xs, ys in ZIGZAG]
    wanted = fit(sketch_from_strokes(ZIGZAG), CLIP_SKETCHES)
    drawn = fit(sketch_from_strokes(moved), CLIP_SKETCHES)
    assert np.abs(drawn.astype(int) - wanted).mean() < 0.5
