"""The comparison of text vectors with genuine ones of OpenAI's CLIP ViT-B/32."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sketchseek.engine import EngineError
from sketchseek.engine.check import GENUINE, _compare, _read


def model_of(names: list[str], vectors: NDArray[np.float32]) -> Any:
    """Stands in for CLIP, whose weights are not here: each text has the vector of its name."""
    known = dict(zip((f"a {name}" for name in names), vectors, strict=True))
    return SimpleNamespace(
        name="clip",
        size=vectors.shape[1],
        record=SimpleNamespace(precision="fp16"),
        encode_texts=lambda texts: np.stack([known[text] for text in texts]),
    )


@pytest.mark.data
def test_all_genuine_vectors_are_compared_and_the_20_here_are_among_them(data_root: Path) -> None:
    path = data_root / "clip_text.npz"
    names, vectors = _read(path)
    assert "1588 text vectors equal the expected ones, lowest cosine 1.00000" in _compare(
        model_of(names, vectors), names, vectors
    )
    places = {name: number for number, name in enumerate(names)}
    few, theirs = _read(GENUINE)
    assert len(few) == 20
    assert ((vectors[[places[name] for name in few]] * theirs).sum(axis=1) > 0.99999).all()


@pytest.mark.parametrize("wrong", [0, 7, 19])
def test_one_wrong_vector_is_named(wrong: int) -> None:
    names, vectors = _read(GENUINE)
    changed = vectors.copy()
    changed[wrong] = -changed[wrong]
    with pytest.raises(EngineError, match=f'cosine -1.0000 of "a {names[wrong]}"'):
        _compare(model_of(names, changed), names, vectors)
