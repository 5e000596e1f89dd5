"""A graph is used only after its golden vectors came out of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sketchseek.engine import Encoder, EngineError, isolation, load
from sketchseek.engine.folder import GOLDEN
from sketchseek.engine.golden import least_cosine, read_golden, write_golden
from sketchseek.engine.sessions import OrtSession
from tests.engine.conftest import put


def test_every_graph_has_golden_vectors(exported: Encoder) -> None:
    golden = read_golden((exported.folder / GOLDEN).read_bytes())
    assert {name.partition("/")[0] for name in golden} == set(exported.record.graphs.values())
    exported.verify()


def test_a_provider_that_computes_something_else_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong:
        """Rolls the numbers of every vector by one."""

        def __init__(self, graph: bytes, provider: str, threads: int, weights: Any) -> None:
            self.right = OrtSession(graph, "CPU", threads, weights)

        def __call__(self, inputs: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]:
            return [np.roll(values, 1, axis=-1) for values in self.right(inputs, outputs)]

    monkeypatch.setattr(isolation, "IsolatedSession", Wrong)
    with pytest.raises(EngineError, match=r"provider CPU computes wrong vectors .*photo\.onnx: cosine"):
        load(folder).encode_photos([np.zeros((9, 9, 3), np.uint8)])
    with pytest.raises(EngineError, match=r"wrong vectors .*text\.onnx"):
        load(folder).encode_texts(["cat"])


@pytest.mark.parametrize("wrong", [np.nan, 0.0])
def test_vectors_that_are_none_are_found_out(folder: Path, monkeypatch: pytest.MonkeyPatch, wrong: float) -> None:
    class Empty:
        def __init__(self, graph: bytes, provider: str, threads: int, weights: Any) -> None:
            self.right = OrtSession(graph, "CPU", threads, weights)

        def __call__(self, inputs: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]:
            return [np.full_like(values, wrong) for values in self.right(inputs, outputs)]

    monkeypatch.setattr(isolation, "IsolatedSession", Empty)
    with pytest.raises(EngineError, match="computes wrong vectors"):
        load(folder).encode_texts(["cat"])


def test_golden_vectors_of_another_model_are_found_out(folder: Path) -> None:
    golden = read_golden((folder / GOLDEN).read_bytes())
    golden["photo.onnx/vectors"] = np.roll(golden["photo.onnx/vectors"], 1, axis=1)
    put(folder, GOLDEN, write_golden(golden))
    model = load(folder)
    assert model.encode_texts(["cat"]).shape == (1, 16)  # the graph of texts is right
    with pytest.raises(EngineError, match=r"golden test of photo\.onnx: cosine"):
        model.encode_photos([np.zeros((9, 9, 3), np.uint8)])


@pytest.mark.parametrize("data", [b"", b"no archive", write_golden({"other/vectors": np.zeros(3)})])
def test_a_golden_file_that_says_nothing_is_no_excuse(folder: Path, data: bytes) -> None:
    put(folder, GOLDEN, data)
    with pytest.raises(EngineError, match=r"golden\.npz .*export the model again"):
        load(folder).encode_texts(["cat"])


def test_golden_arrays_come_back_and_equal_ones_give_equal_bytes() -> None:
    arrays: dict[str, NDArray[Any]] = {"b/x": np.arange(6).reshape(2, 3), "a/vectors": np.ones((2, 4), np.float32)}
    data = write_golden(arrays)
    assert data == write_golden(dict(reversed(arrays.items())))
    for name, array in read_golden(data).items():
        np.testing.assert_array_equal(array, arrays[name])


def test_the_least_cosine_is_over_all_rows() -> None:
    some = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])
    assert least_cosine(some, some) == pytest.approx(1)
    assert least_cosine(some, np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])) == pytest.approx(0.5**0.5)
    assert np.isnan(least_cosine(some, some[:2]))
