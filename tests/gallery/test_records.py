"""The arrays of outlines that a ranking is given."""

import numpy as np

from sketchseek.gallery.records import stacked


def test_outlines_are_rows_and_photos_without_any_are_marked() -> None:
    rows, there = stacked([None, b"\x01\x02", b"\xff\x00", None])
    assert rows.tolist() == [[0, 0], [1, 2], [255, 0], [0, 0]]
    assert there.tolist() == [False, True, True, False]


def test_outlines_of_another_length_count_as_none() -> None:
    rows, there = stacked([b"\x01\x02", b"\x03", b"\x04\x05\x06"])
    assert rows.tolist() == [[1, 2], [0, 0], [0, 0]]
    assert there.tolist() == [True, False, False]


def test_no_outlines_at_all() -> None:
    for given in ([], [None, None]):
        rows, there = stacked(given)
        assert rows.shape == (len(given), 0)
        assert rows.dtype == np.uint8
        assert there.tolist() == [False] * len(given)
