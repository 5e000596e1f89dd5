"""Lines in an export: a small graph of its own; what drawings and vectors cost and give stays as it was."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from sketchseek import outlines
from sketchseek.clip.lite import LiteStem
from sketchseek.clip.weights import load_backbone
from sketchseek.engine import Encoder, EngineError
from sketchseek.engine.sample_inputs import sample_pictures
from sketchseek.export import export, write
from sketchseek.export.graphs import lines_of
from sketchseek.export.measure import cosine_of_lines
from sketchseek.export.rounding import Choice, Rounded
from sketchseek.export.source import open_source
from sketchseek.export.weights import store_in_8_bits
from sketchseek.methods.registry import method_class
from sketchseek.pictures import fit, normalise
from tests.clip.test_lines import with_lines


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_lines(tmp_path_factory.mktemp("lines") / "lite")


@pytest.fixture(scope="module")
def model(backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return export(backbone, tmp_path_factory.mktemp("exported") / "lined")


def test_the_graphs_draw_what_torch_draws(model: Encoder, backbone: Path) -> None:
    assert model.record.lines == model.line_bytes == outlines.BYTES
    assert model.record.graphs["lines"] == "lines.onnx"
    photos = [sample_pictures(1, 300, seed)[0, : 200 + 20 * seed] for seed in range(3)]
    pixels = torch.from_numpy(
        normalise(np.stack([fit(one, model.record.photos) for one in photos]), model.record.photos)
    )
    torch_side = load_backbone(backbone)
    stem, lines = torch_side.image.stem, torch_side.lines
    assert isinstance(stem, LiteStem) and lines is not None
    with torch.no_grad():
        maps = lines(lines.maps(stem, pixels)).numpy()
    vectors, packed = model.encode_photos_with_lines(photos)
    np.testing.assert_allclose(vectors, model.encode_photos(photos), atol=1e-6)
    wanted = outlines.pack(maps, [one.shape for one in photos])
    found, expected = outlines.unpack(packed), outlines.unpack(wanted)
    assert ((found * expected).sum(axis=1) > 0.99).all()  # weights in 16 bits move a level now and then


def test_photos_and_drawings_still_share_a_graph_whose_stem_runs_once(model: Encoder) -> None:
    assert model.record.graphs["photo"] == model.record.graphs["sketch"]
    graph = onnx.load(model.folder / "photo.onnx", load_external_data=False).graph
    assert [output.name for output in graph.output] == ["vectors", "states", "maps"]
    assert sum(node.op_type == "Conv" for node in graph.node) == 64  # of EfficientNet-Lite2
    assert "lines.onnx" not in model.record.weights  # so that no vector's identity depends on them


def test_a_stem_that_was_trained_has_no_lines_any_more(backbone: Path) -> None:
    method = open_source(backbone).method
    assert lines_of(method) is method.backbone.lines is not None
    kind = method_class("full-fine-tune")
    trained = kind(load_backbone(backbone), ("cat", "dog"), "category", kind.options_type())
    assert lines_of(trained) is None


def test_rounding_keeps_the_lines_or_says_so(backbone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs, cosine = write.traced(open_source(backbone).method)
    assert cosine > 0.9999
    pictures: Any = SimpleNamespace(photos=sample_pictures(4, 224))
    # What is computed with integers is chosen and measured in test_rounding; here weights are stored in 8 bits.
    small = Rounded((store_in_8_bits(graphs["photo"]),) * 2, Choice(()), 50.0, 50.0)
    monkeypatch.setattr(write, "round_pictures", lambda *_: small)
    rounded, measured = write._rounded(graphs, pictures)
    assert rounded.keys() == graphs.keys()
    assert 0.95 < measured["lines"] <= 1
    monkeypatch.setattr(write, "LEAST_LINES", 1.01)
    with pytest.raises(EngineError, match="rounding to 8 bits changes where lines are drawn over photos"):
        write._rounded(graphs, pictures)


def test_the_cosine_of_lines() -> None:
    rng = np.random.default_rng(0)
    maps: Any = rng.random((2, 4, 4), np.float32)
    assert cosine_of_lines(maps, 3 * maps + 1) == pytest.approx(1)
    assert cosine_of_lines(maps, -maps) == pytest.approx(-1)
    assert cosine_of_lines(maps, np.stack([maps[0], -maps[1]])) == pytest.approx(0)
