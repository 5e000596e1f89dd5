"""Rounding to 8 bits: what is written is what was measured, and the cheapest harmless choice is taken."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from sketchseek.datasets.items import DatasetError
from sketchseek.engine import EngineError, load
from sketchseek.engine.folder import CARD, read_file
from sketchseek.engine.sessions import OrtSession
from sketchseek.export import export, rounding, write
from sketchseek.export.measure import encode, map_all
from sketchseek.export.pictures import MeasuredPictures, read_pictures
from sketchseek.export.rounding import Choice
from sketchseek.export.source import open_source
from tests.training.toys import write_data


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data") / "set", photos=12)


@pytest.fixture(scope="module")
def pictures(root: Path, tiny_clip_folder: Path) -> MeasuredPictures:
    return read_pictures(root, open_source(tiny_clip_folder).method.backbone)


def test_pictures_are_of_the_right_classes(pictures: MeasuredPictures) -> None:
    assert pictures.range_photos.shape == (48, 224, 224, 3)  # 4 classes of 12
    assert pictures.range_sketches.shape == (64, 224, 224, 3)  # of 96
    assert set(pictures.photo_labels) == set(pictures.sketch_labels) == {"emu", "fox"} == set(pictures.class_names)
    assert (len(pictures.photos), len(pictures.sketches)) == (24, 48)


def test_a_dataset_without_validation_classes_is_refused(tiny_clip_folder: Path, tmp_path: Path) -> None:
    backbone = open_source(tiny_clip_folder).method.backbone
    with pytest.raises(EngineError, match="has no training or no validation classes"):
        read_pictures(write_data(tmp_path / "one", classes=("ant",)), backbone)
    with pytest.raises(DatasetError):
        read_pictures(tmp_path / "nowhere", backbone)


def test_an_int8_model_says_what_rounding_cost(
    tiny_clip_folder: Path, root: Path, pictures: MeasuredPictures, tmp_path: Path
) -> None:
    steps: list[str] = []
    whole = export(tiny_clip_folder, tmp_path / "whole")
    small = export(tiny_clip_folder, tmp_path / "int8", data=root, int8=True, report=steps.append)
    assert any("rounding" in line for line in steps)
    assert small.record.precision == "int8"
    assert small.identity != whole.identity
    measured = small.record.measured["rounding"]["map@all"]
    for model, name in ((whole, "fp32"), (small, "int8")):
        file = model.record.graphs["photo"]
        graph = OrtSession(read_file(model.folder, file, model.record), "CPU", 1, model.weights_of(file))
        found = map_all(encode(graph, pictures.sketches), encode(graph, pictures.photos), pictures)
        assert measured[name] == pytest.approx(found, abs=0.02)
    card = (small.folder / CARD).read_text()
    assert f"{measured['fp32']:.2f} in fp32, {measured['int8']:.2f} in int8" in card
    load(small.folder).verify()


def test_rows_of_an_int8_model_do_not_depend_on_the_others(
    tiny_clip_folder: Path, root: Path, pictures: MeasuredPictures, tmp_path: Path
) -> None:
    model = export(tiny_clip_folder, tmp_path / "int8", data=root, int8=True)
    photos = list(pictures.photos[:5])
    alone = np.concatenate([model.encode_photos([photo]) for photo in photos])
    np.testing.assert_allclose(model.encode_photos(photos), alone, atol=1e-5)


FAST, SLOWER, SLOWEST = (Choice(("Conv", "MatMul")), Choice(("Conv",), spared=1), Choice(()))


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        ((49.6, 49.9, 50.0), FAST),  # harmless
        ((49.4, 49.5, 50.0), SLOWER),  # the next fastest
        ((30.0, 40.0, 45.0), SLOWEST),  # the least harm
    ],
)
def test_the_first_harmless_choice_is_taken(
    pictures: MeasuredPictures, monkeypatch: pytest.MonkeyPatch, scores: tuple[float, ...], chosen: Choice
) -> None:
    choices = (FAST, SLOWER, SLOWEST)
    found = {str(choice).encode(): score for choice, score in zip(choices, scores, strict=True)}
    monkeypatch.setattr(rounding, "_rounded", lambda graphs, pictures, choice: (str(choice).encode(),) * 2)
    monkeypatch.setattr(rounding, "_measured", lambda graphs, pictures: found.get(graphs[0], 50.0))
    rounded = rounding.round_pictures((b"graph", b"graph"), pictures, choices)
    assert (rounded.choice, rounded.before) == (chosen, 50.0)
    assert rounded.after == found[rounded.graphs[0]] == scores[choices.index(chosen)]


def test_spared_convolutions_keep_their_floats(tiny_clip_folder: Path, pictures: MeasuredPictures) -> None:
    graph = write.traced(open_source(tiny_clip_folder).method)[0]["photo"]

    def rounded_convolutions(choice: Choice) -> int:
        model = onnx.load_from_string(rounding._round(graph, pictures.range_photos[:4], choice))
        made_by = {name: node.op_type for node in model.graph.node for name in node.output}
        convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
        return sum(made_by[node.input[1]] == "DequantizeLinear" for node in convolutions)

    assert rounded_convolutions(Choice(("Conv",))) == 1  # ViT's only one cuts the patches
    assert rounded_convolutions(Choice(("Conv", "MatMul"), spared=1)) == 0
