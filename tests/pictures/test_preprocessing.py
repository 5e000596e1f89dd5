import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.errors import SketchseekError
from sketchseek.pictures import CLIP_PHOTOS, CLIP_SKETCHES, Preprocessing

number = st.floats(-3, 3)
records = st.builds(
    Preprocessing,
    size=st.integers(1, 512),
    interpolation=st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos"]),
    fit=st.sampled_from(["squash", "pad", "crop"]),
    fill=st.tuples(*[st.integers(0, 255)] * 3),
    mean=st.tuples(number, number, number),
    std=st.tuples(*[st.floats(0.01, 3)] * 3),
    placement=st.sampled_from(["as_drawn", "ink"]),
    margin=st.floats(0, 0.49),
    stroke_width=st.floats(0.001, 0.5),
)


@given(records)
def test_a_record_survives_json(record: Preprocessing) -> None:
    again = Preprocessing.from_json(json.loads(json.dumps(record.to_json())))
    assert again == record
    assert again.fingerprint == record.fingerprint
    assert Preprocessing.from_json(json.dumps(record.to_json())) == record


@given(records, records)
def test_fingerprints_differ_where_records_do(one: Preprocessing, other: Preprocessing) -> None:
    assert (one.fingerprint == other.fingerprint) == (one == other)


def test_spelling_does_not_change_the_fingerprint() -> None:
    assert replace(CLIP_PHOTOS, mean=(0, 0, 0)).fingerprint == replace(CLIP_PHOTOS, mean=(0.0, 0.0, 0.0)).fingerprint
    assert CLIP_PHOTOS.fingerprint != CLIP_SKETCHES.fingerprint


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": 0}, "size"),
        ({"size": 2.5}, "size"),
        ({"size": True}, "size"),
        ({"interpolation": "magic"}, "interpolation"),
        ({"fit": "stretch"}, "fit"),
        ({"fill": [0, 0]}, "fill"),
        ({"fill": [0, 0, 256]}, "fill"),
        ({"mean": [0, 0, "0"]}, "mean"),
        ({"mean": [0, 0, 10**400]}, "mean"),
        ({"mean": [0, 0, float("nan")]}, "mean"),
        ({"std": [1, 1, 0]}, "std"),
        ({"std": [1, 1, 1e-320]}, "std"),
        ({"margin": 0.5}, "margin"),
        ({"stroke_width": 0}, "stroke_width"),
        ({"placement": "anywhere"}, "placement"),
        ({"version": 2}, "version 2 is unknown"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_wrong_record_is_one_sentence(change: dict[str, Any], said: str) -> None:
    with pytest.raises(SketchseekError, match=said):
        Preprocessing.from_json({**CLIP_PHOTOS.to_json(), **change})


@pytest.mark.parametrize("name", ["stroke_width", "version", "fill", "x" * 5000])
def test_a_message_does_not_repeat_a_long_record(name: str) -> None:
    with pytest.raises(SketchseekError) as caught:
        Preprocessing.from_json({**CLIP_PHOTOS.to_json(), name: ["\n"] * 5000})
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000])
def test_what_is_no_record_is_one_sentence(text: str) -> None:
    with pytest.raises(SketchseekError, match="preprocessing record"):
        Preprocessing.from_json(text)
