"""What a query's vector and relevance are, against the definitions written out."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.gallery import GalleryError, Query
from sketchseek.gallery.query import Part, encode, fuse, relevance
from sketchseek.pictures import load_photo, load_sketch
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import png, put

LINE = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><path d="M1 1 9 9" stroke="black"/></svg>'
MODEL = GridModel()


def none(id: str) -> Any:
    raise AssertionError("no id was given")


def vector(query: Query) -> Any:
    return fuse(encode(query, lambda: MODEL, none))


def unit(vector: Any) -> Any:
    return vector / np.linalg.norm(vector)


def test_a_single_term_is_the_models_own_vector() -> None:
    assert np.allclose(vector(Query(text="red")), MODEL.encode_texts(["red"])[0])
    assert np.allclose(vector(Query(photo=png(1))), MODEL.encode_photos([load_photo(png(1))])[0])
    assert np.allclose(vector(Query(sketch=LINE)), MODEL.encode_sketches([load_sketch(LINE)])[0])


def test_terms_add_up_by_weight_and_minus_terms_are_taken_away() -> None:
    query = Query(sketch=LINE, text="red", photo=png(1), minus="blue", weights={"text": 0.5, "minus": 0.3})
    expected = unit(
        MODEL.encode_sketches([load_sketch(LINE)])[0]
        + 0.5 * MODEL.encode_texts(["red"])[0]
        + MODEL.encode_photos([load_photo(png(1))])[0]
        - 0.3 * MODEL.encode_texts(["blue"])[0]
    )
    assert np.allclose(vector(query), expected, atol=1e-6)


def test_several_values_of_a_kind_share_its_weight(tmp_path: Path) -> None:
    png_path = put(tmp_path / "2.png", png(2))
    red, green, blue = MODEL.encode_texts(["red", "green", "blue"])
    assert np.allclose(vector(Query(text=["red", "green"])), unit(red + green), atol=1e-6)
    both = Query(photo=png(1), text=["red", "green"], minus=["blue", png_path])
    (photo,), (unlike,) = MODEL.encode_photos([load_photo(png(1))]), MODEL.encode_photos([load_photo(png(2))])
    expected = unit(photo + 0.5 * red + 0.5 * green - 0.25 * blue - 0.25 * unlike)
    assert np.allclose(vector(both), expected, atol=1e-6)


def test_marked_hits_pull_and_push_as_rocchio_says() -> None:
    stored = {seed: unit(np.random.default_rng(seed).standard_normal(65)) for seed in range(4)}
    parts = encode(Query(text="red", like=["0", "1"], unlike=["2", "3"]), lambda: MODEL, lambda id: stored[int(id)])
    query = MODEL.encode_texts(["red"])[0]
    expected = query + 0.75 * (stored[0] + stored[1]) / 2 - 0.25 * (stored[2] + stored[3]) / 2
    assert np.allclose(fuse(parts), unit(expected), atol=1e-6)


def test_the_model_is_not_loaded_for_what_is_stored() -> None:
    def loaded() -> GridModel:
        raise AssertionError("not needed")

    assert encode(Query(like="0"), loaded, lambda id: np.ones(65, np.float32))[0].weight == 0.75


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "has nothing to look for"),
        ({"minus": "toy"}, "has nothing to look for"),
        ({"unlike": "0"}, "has nothing to look for"),
        ({"text": "red", "weights": {"words": 1}}, "no query term 'words'"),
        ({"text": "red", "weights": {"text": -1}}, "weight of 'text' is -1"),
        ({"text": "red", "weights": {"text": math.nan}}, "weight of 'text' is nan"),
        ({"text": "  "}, "words to look for are empty"),
        ({"text": "red", "minus": "red", "weights": {"minus": 1}}, "cancel each other out"),
        ({"text": "red", "weights": {"text": 0}}, "cancel each other out"),
    ],
)
def test_a_query_that_cannot_be_answered_is_one_sentence(query: dict[str, Any], message: str) -> None:
    with pytest.raises(GalleryError, match=message):
        vector(Query(**query))


@given(
    st.lists(
        st.tuples(st.sampled_from(["sketch", "text", "photo"]), st.floats(-2, 2).filter(lambda w: abs(w) > 0.01)),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 99),
)
def test_relevance_is_the_geometric_mean_of_what_each_term_says(terms: list[tuple[str, float]], seed: int) -> None:
    calibration = {"sketch": (0.3, 0.05), "text": (0.25, 0.02), "photo": (0.7, 0.1)}
    rng = np.random.default_rng(seed)
    photos = unit(rng.standard_normal(65))[None].astype(np.float16)
    parts = [Part(kind, weight, unit(rng.standard_normal(65)).astype(np.float32)) for kind, weight in terms]
    product = 1.0
    for part in parts:
        midpoint, scale = calibration[part.kind]
        likely = 1 / (1 + math.exp(-(float(part.vector.astype(float) @ photos[0].astype(float)) - midpoint) / scale))
        product *= (likely if part.weight > 0 else 1 - likely) ** abs(part.weight)
    expected = product ** (1 / sum(abs(part.weight) for part in parts))
    found = relevance(parts, photos, calibration)
    assert found is not None
    assert found[0] == pytest.approx(expected, rel=1e-6, abs=1e-12)
    assert 0 <= found[0] <= 1


def test_without_a_calibration_there_is_no_relevance() -> None:
    part = Part("text", 1.0, np.ones(65, np.float32))
    assert relevance([part], np.ones((1, 65), np.float16), None) is None
    assert relevance([part], np.ones((1, 65), np.float16), {"sketch": (0.5, 0.1)}) is None
