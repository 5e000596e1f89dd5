"""Names of what a drawing may be: a softmax, its best five, and nothing where they are not likely enough."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sketchseek.engine import Encoder, EngineError, load
from sketchseek.engine.folder import GUESSES
from sketchseek.engine.guesses import Guesses
from sketchseek.model import can_guess
from sketchseek.pictures import Sketch
from tests.engine.conftest import put

NAMES = ("axe", "bee", "cow", "door", "egg", "fan", "goat")


def made(size: int = 4, least: float = 0.5, seed: int = 0) -> Guesses:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(len(NAMES), size)).astype(np.float16).astype(np.float32)
    given = np.array([name != "door" for name in NAMES])
    return Guesses(NAMES, 2 * weights, rng.normal(size=len(NAMES)).astype(np.float32), given, least)


def slow(guesses: Guesses, vector: NDArray[np.float32]) -> list[str]:
    """The same, name by name."""
    sums = [
        sum(float(w) * float(v) for w, v in zip(row, vector, strict=True)) + float(bias)
        for row, bias in zip(guesses.weights, guesses.bias, strict=True)
    ]
    total = sum(math.exp(one) for one in sums)
    shares = zip((math.exp(one) / total for one in sums), guesses.names, strict=True)
    best = sorted(((share, name) for share, name in shares if name != "door"), reverse=True)[:5]
    if sum(share for share, _ in best) < guesses.least:
        return []
    return [name for share, name in best if 10 * share >= best[0][0]]


@given(st.integers(0, 99), st.floats(0.1, 1))
def test_names_are_the_likeliest_if_likely_enough(seed: int, least: float) -> None:
    guesses = made(least=least, seed=seed)
    vectors = np.random.default_rng(seed + 1).normal(size=(3, 4)).astype(np.float32)
    assert guesses.of(vectors) == [slow(guesses, vector) for vector in vectors]


def test_a_file_gives_back_what_was_written() -> None:
    guesses = made()
    read = Guesses.from_bytes(guesses.to_bytes(), 4)
    assert (read.names, read.least) == (guesses.names, guesses.least)
    np.testing.assert_array_equal(read.weights, guesses.weights)
    np.testing.assert_array_equal(read.bias, guesses.bias)
    np.testing.assert_array_equal(read.given, guesses.given)
    assert read.to_bytes() == guesses.to_bytes()


@pytest.mark.parametrize(
    "broken",
    [
        replace(made(), names=NAMES[1:]),
        replace(made(), bias=np.full(len(NAMES), np.nan, np.float32)),
        replace(made(), given=np.ones(3, bool)),
        replace(made(), least=2.0),
        replace(made(), names=("a\nb", *NAMES[1:])),
        replace(made(), names=("x" * 61, *NAMES[1:])),
        made(size=5),
    ],
)
def test_a_file_that_does_not_fit_the_model_is_refused(broken: Guesses) -> None:
    with pytest.raises(EngineError, match=r"guesses\.npz does not fit the model"):
        Guesses.from_bytes(broken.to_bytes(), 4)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", made().to_bytes()[:-40]])
def test_a_damaged_file_is_refused(data: bytes) -> None:
    with pytest.raises(EngineError, match=r"guesses\.npz is damaged"):
        Guesses.from_bytes(data, 4)


def test_a_model_with_names_guesses_and_makes_the_same_vectors(
    exported: Encoder, folder: Path, sketches: list[Sketch]
) -> None:
    assert not can_guess(exported)
    guesses = made(exported.size, least=0.1)
    put(folder, GUESSES, guesses.to_bytes())
    model = load(folder)
    model.verify()
    assert can_guess(model)
    assert model.identity == exported.identity  # galleries made before it had names stay as they are
    vectors = model.encode_sketches(sketches)
    assert model.guess(vectors) == guesses.of(vectors)


def test_checking_a_model_finds_names_that_do_not_fit(folder: Path) -> None:
    put(folder, GUESSES, made(3).to_bytes())
    with pytest.raises(EngineError, match="does not fit"):
        load(folder).verify()
