"""What a query's vector and relevance are, against the definitions written out."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketchseek.gallery import GalleryError, Query
from sketchseek.gallery.query import encode, fuse
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
