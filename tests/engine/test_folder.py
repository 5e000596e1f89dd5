"""A model folder is what was written, or it is refused in a sentence."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketchseek import SketchseekError, load_model
from sketchseek.engine import Encoder, EngineError, find_model, list_models, load
from sketchseek.engine.folder import CARD, CONFIG, Record, is_model, read_record, write_record
from sketchseek.engine.models import load_search_model
from sketchseek.engine.sample_inputs import sample_pictures


@pytest.fixture
def folder(exported: Encoder, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(exported.folder, tmp_path / "model"))


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    written = json.loads((folder / CONFIG).read_text())
    change(written)
    (folder / CONFIG).write_text(json.dumps(written))


def test_the_record_comes_back(exported: Encoder, tmp_path: Path) -> None:
    record = replace(exported.record, measured={"parity": 1.0})
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record
    write_record(tmp_path, record)
    assert is_model(tmp_path)


def test_a_newer_format_is_refused_and_an_older_one_too(folder: Path) -> None:
    edit(folder, lambda written: written.update(version=3))
    assert is_model(folder)
    with pytest.raises(EngineError, match="has format 3, this sketchseek reads 1 to 2: update sketchseek"):
        load(folder)
    edit(folder, lambda written: written.update(version=0))
    with pytest.raises(EngineError, match="has format 0, this sketchseek reads 1 to 2: export the model again"):
        load(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda written: written.pop("size"),
        lambda written: written.update(graphs={"photo": "photo.onnx"}),
        lambda written: written.update(graphs=[]),
        lambda written: written.update(precision="fp12"),
        lambda written: written["files"].pop("golden.npz"),
        lambda written: written["files"].update({"../secret": {"size": 1, "sha256": ""}}),
        lambda written: written["photos"].update(size="large"),
        lambda written: written.update(files=None),
    ],
)
def test_a_damaged_record_is_one_sentence(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    edit(folder, change)
    with pytest.raises(EngineError, match=r"config\.json is damaged \(.*\): export the model again"):
        load(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_what_is_no_record_is_no_model(folder: Path, text: str) -> None:
    (folder / CONFIG).write_text(text)
    assert not is_model(folder)
    with pytest.raises(EngineError, match=r"is not valid JSON|is not a model folder"):
        read_record(folder)


def test_a_missing_file_is_noticed_when_the_folder_is_opened(folder: Path) -> None:
    (folder / "text.onnx").unlink()
    with pytest.raises(EngineError, match=r"text\.onnx cannot be opened \(No such file or directory\)"):
        load(folder)


def test_a_cut_file_is_noticed_when_the_folder_is_opened(folder: Path) -> None:
    (folder / "photo.onnx").write_bytes((folder / "photo.onnx").read_bytes()[:-1])
    with pytest.raises(EngineError, match=r"photo\.onnx has changed since it was exported: export the model again"):
        load(folder)


@pytest.mark.parametrize("name", ["photo.onnx", "patches.onnx", "text.onnx", "tokenizer.json", "golden.npz"])
def test_a_changed_byte_is_noticed_before_it_is_used(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(EngineError, match="has changed since it was exported: export the model again"):
        load(folder).verify()


def test_the_card_may_be_edited(folder: Path) -> None:
    (folder / CARD).write_text("Mine.")
    load(folder).verify()


def test_identity_is_of_what_decides_a_vector(exported: Encoder) -> None:
    record = exported.record
    same = replace(record, name="other", about="other", measured={}, licence="x")
    assert same.identity == record.identity
    files = dict(record.files)
    other_graph = {**files, "text.onnx": replace(files["text.onnx"], sha256="0" * 64)}
    other_words = {**files, "tokenizer.json": replace(files["tokenizer.json"], sha256="0" * 64)}
    others = [
        replace(record, files=other_graph),
        replace(record, files=other_words),
        replace(record, photos=replace(record.photos, fit="squash")),
        replace(record, sketches=replace(record.sketches, margin=0.1)),
        replace(record, context=20),
    ]
    assert len({record.identity, *(one.identity for one in others)}) == 6


def test_models_are_found_by_path_and_by_name(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKETCHSEEK_MODELS", str(tmp_path))
    (tmp_path / "something else").mkdir()
    assert find_model(folder) == folder
    assert find_model("model") == folder
    assert find_model("something else") is None
    assert find_model("nothing") is None
    assert find_model("") is None
    assert list_models()["model"] == folder
    assert list_models()["default"] == find_model("default")
    assert load_model("model").identity == load_model(str(folder), device="cpu").identity


def test_searching_names_the_way_out_for_what_needs_torch(tiny_clip_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "recipe.toml").write_text("")
    for name in ("lite", tiny_clip_folder, run):
        with pytest.raises(SketchseekError, match=r"is not a model folder, .*models get .*sketchseek export .* --out"):
            load_search_model(name)
    for name in ("clip", "openai/clip-vit-base-patch32"):
        with pytest.raises(SketchseekError, match=f"sketchseek models get {name} downloads openai/clip"):
            load_search_model(name)
    with pytest.raises(SketchseekError, match=r"no model 'klipp'; perhaps you mean .*clip"):
        load_search_model("klipp")
    with pytest.raises(SketchseekError, match=r"no model 'nothing'; known names are default, clip, .*owner/model"):
        load_search_model("nothing")


def test_a_model_in_a_folder_of_any_name(exported: Encoder, tmp_path: Path) -> None:
    """Names are bytes: this one is no text in any encoding of Unicode."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/m\xff\n\xc3"))
    try:
        shutil.copytree(exported.folder, folder)
    except (OSError, UnicodeError):
        pytest.skip("this file system has only names of text")
    assert is_model(folder)
    model = load_model(folder)
    picture = sample_pictures(1, 64, 0)[0]
    assert np.array_equal(model.encode_photos([picture]), exported.encode_photos([picture]))
    assert np.array_equal(model.encode_texts(["a cat"]), exported.encode_texts(["a cat"]))
