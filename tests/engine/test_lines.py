"""Outlines: a small graph beside that of photos, whose result is packed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from sketchseek import outlines
from sketchseek.engine import Encoder, EngineError, load
from sketchseek.engine.folder import CONFIG, GOLDEN
from sketchseek.engine.golden import write_golden
from sketchseek.gallery import Gallery
from sketchseek.model import has_lines
from sketchseek.pictures import fit
from tests.engine.conftest import put
from tests.gallery.photos import fill

Photos = list[NDArray[np.uint8]]
CELL = 224 // outlines.SIDE


def give_lines(folder: Path, *, cell: int = CELL, axis: int = 1) -> Path:
    """Add a graph of lines: the mean of each cell of the pixels, 0 to 1. The photo graph's maps are the pixels.

    ``axis``: another one than 1 makes the graph of lines fail when it runs.
    """
    photo = onnx.load_from_string((folder / "photo.onnx").read_bytes())
    photo.graph.node.extend(
        [
            helper.make_node("Cast", ["pixels"], ["l.float"], to=TensorProto.FLOAT),
            helper.make_node("Flatten", ["l.float"], ["maps"]),
        ]
    )
    photo.graph.output.append(helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["n", 224 * 224 * 3]))
    put(folder, "photo.onnx", photo.SerializeToString())
    constants = {"scale": np.float32(1 / 255), "shape": np.array([-1, 224, 224, 3]), "one": np.array([axis])}
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["maps", "scale"], ["scaled"]),
            helper.make_node("Reshape", ["scaled", "shape"], ["pixels"]),
            helper.make_node("Transpose", ["pixels"], ["channels"], perm=[0, 3, 1, 2]),
            helper.make_node("AveragePool", ["channels"], ["cells"], kernel_shape=[cell] * 2, strides=[cell] * 2),
            # Which axis is known only when the graph runs, so a wrong one is no error of the graph.
            helper.make_node("Shape", ["maps"], ["count"], start=1, end=2),
            helper.make_node("Sub", ["count", "count"], ["zero"]),
            helper.make_node("Add", ["zero", "one"], ["axis"]),
            helper.make_node("ReduceMean", ["cells", "axis"], ["lines"], keepdims=0),
        ],
        "lines",
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["n", 224 * 224 * 3])],
        [helper.make_tensor_value_info("lines", TensorProto.FLOAT, ["n", None, None])],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    made.ir_version = photo.ir_version
    put(folder, "lines.onnx", made.SerializeToString())
    maps = np.resize(np.random.default_rng(0).uniform(0, 255, 999).astype(np.float32), (1, 224 * 224 * 3))
    golden = dict(np.load(folder / GOLDEN))
    wanted = means(maps.reshape(1, 224, 224, 3), 224 // cell)
    put(folder, GOLDEN, write_golden(golden | {"lines.onnx/maps": maps, "lines.onnx/lines": wanted}))
    return say(folder, lines=outlines.BYTES, graphs={"lines": "lines.onnx"})


def means(pixels: NDArray[Any], side: int) -> NDArray[np.float32]:
    """What that graph computes, (n, side, side)."""
    cells = pixels.reshape(-1, side, 224 // side, side, 224 // side, 3)
    return np.asarray(cells.mean((2, 4, 5), dtype=np.float64) / 255, np.float32)


def say(folder: Path, *, lines: object, graphs: dict[str, str]) -> Path:
    written = json.loads((folder / CONFIG).read_text())
    changed = {"lines": lines, "graphs": written["graphs"] | graphs, "version": 2}
    (folder / CONFIG).write_text(json.dumps(written | changed))
    return folder


@pytest.fixture
def model(folder: Path) -> Encoder:
    return load(give_lines(folder))


def test_lines_are_packed_beside_the_vectors(model: Encoder, exported: Encoder, photos: Photos) -> None:
    assert has_lines(model)
    assert model.line_bytes == model.record.lines == outlines.BYTES
    vectors, lines = model.encode_photos_with_lines(photos)
    np.testing.assert_allclose(vectors, exported.encode_photos(photos), atol=1e-6)
    pixels = np.stack([fit(photo, model.record.photos) for photo in photos])
    maps = means(pixels, outlines.SIDE)
    wanted = outlines.pack(maps, [photo.shape for photo in photos])
    assert lines.shape == wanted.shape == (len(photos), outlines.BYTES)
    off = [np.abs((lines >> bits & 15).astype(int) - (wanted >> bits & 15)) for bits in (0, 4)]
    assert np.max(off) <= 1  # a level next to the right one where the last bit of a mean decides
    assert np.mean(off) < 0.01
    alone = np.concatenate([model.encode_photos_with_lines([photo])[1] for photo in photos[:3]])
    assert (alone == lines[:3]).all()
    assert [part.shape for part in model.encode_photos_with_lines([])] == [(0, 16), (0, outlines.BYTES)]


def test_a_model_without_lines_says_so(exported: Encoder) -> None:
    assert exported.record.lines is None
    assert "lines" not in json.loads((exported.folder / CONFIG).read_text())
    assert not has_lines(exported)
    assert not has_lines(None)


def test_a_graph_of_lines_that_fails_costs_the_lines_only(folder: Path, exported: Encoder, photos: Photos) -> None:
    model = load(give_lines(folder, axis=7))
    np.testing.assert_allclose(model.encode_photos(photos[:2]), exported.encode_photos(photos[:2]), atol=1e-6)
    with pytest.raises(EngineError, match="onnxruntime fails to run this model"):
        model.encode_photos_with_lines(photos[:2])
    with pytest.raises(EngineError, match="onnxruntime fails to run this model"):
        model.verify()


def test_maps_of_another_size_are_one_sentence(folder: Path, photos: Photos) -> None:
    model = load(give_lines(folder, cell=8))
    with pytest.raises(EngineError, match=r"lines\.onnx computes float32 of shape \(1, 28, 28\), not \(1, 56, 56\)"):
        model.encode_photos_with_lines(photos[:1])


def test_a_graph_of_lines_is_tested_before_it_is_used(folder: Path, photos: Photos) -> None:
    give_lines(folder)
    golden = dict(np.load(folder / GOLDEN))
    golden["lines.onnx/lines"] = golden["lines.onnx/lines"][:, ::-1, ::-1]
    put(folder, GOLDEN, write_golden(golden))
    with pytest.raises(EngineError, match=r"computes wrong lines with this model \(golden test of lines\.onnx: cosine"):
        load(folder).encode_photos_with_lines(photos[:1])
    del golden["lines.onnx/lines"]
    put(folder, GOLDEN, write_golden(golden))
    with pytest.raises(EngineError, match=r"golden\.npz has no lines of lines\.onnx: export the model again"):
        load(folder).verify()


def test_lines_do_not_change_what_vectors_are_compared_with(model: Encoder, folder: Path) -> None:
    """Another graph of lines is no other model: its gallery need not be encoded again."""
    with_lines = model.identity
    put(folder, "lines.onnx", b"another")
    assert load(folder).identity == with_lines


@pytest.mark.parametrize("lines", [0, 49, "many", -392, 392.5])
def test_lines_of_another_length_are_one_sentence(folder: Path, lines: object) -> None:
    give_lines(folder)
    with pytest.raises(EngineError, match="it must be 392"):
        load(say(folder, lines=lines, graphs={}))


def test_lines_without_a_graph_are_one_sentence(folder: Path) -> None:
    with pytest.raises(EngineError, match=r"is damaged \(lines\): export the model again"):
        load(say(folder, lines=outlines.BYTES, graphs={}))
    give_lines(folder)
    with pytest.raises(EngineError, match=r"is damaged \(lines\): export the model again"):
        load(say(folder, lines=None, graphs={}))


def test_an_index_keeps_them(model: Encoder, tmp_path: Path) -> None:
    fill(tmp_path / "photos", 3)
    with Gallery.open(tmp_path / "gallery", model) as gallery:
        gallery.add(tmp_path / "photos")
        current = gallery.current_model()
        assert current is not None
        kept = [entry.facts.lines for page in gallery.entries(current) for entry in page if entry.facts]
        assert [len(lines or b"") for lines in kept] == [outlines.BYTES] * 3
        assert gallery.verify() == []
