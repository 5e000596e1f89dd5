"""Exporting: what is written computes what torch computes, or nothing is written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sketchseek import load_model
from sketchseek.clip.weights import load_backbone
from sketchseek.engine import Encoder, EngineError
from sketchseek.engine.folder import CARD, CONFIG
from sketchseek.export import export, parity
from sketchseek.export import write as write_module
from sketchseek.export.graphs import run_torch
from sketchseek.methods.method import Method
from sketchseek.methods.registry import method_class
from sketchseek.training import files
from sketchseek.training.backbones import weights_identity
from sketchseek.training.checkpoint import AdapterFacts, Best, save_adapter
from sketchseek.training.recipe import Recipe

CLASSES = ("cat", "dog")


def write_run(
    folder: Path, backbone: Path, name: str, setting: Any = "category", *, named: str | None = None, **options: Any
) -> Path:
    """A run folder of a method with random values, as training leaves it; ``named``: the backbone in its recipe."""
    facts = AdapterFacts(weights_identity(load_backbone(backbone)), CLASSES, Best(1, None, {}))
    method = random_method(backbone, name, setting, **options)
    folder.mkdir()
    recipe = Recipe(
        method=name, data="somewhere", options=method.options, backbone=named or str(backbone), setting=setting
    )
    (folder / files.RECIPE).write_text(recipe.to_toml())
    (folder / files.CARD).write_text(f"# {name}\n")
    save_adapter(folder / files.ADAPTER, method.adapter(), facts)
    return folder


def random_method(backbone: Path, name: str, setting: Any, **options: Any) -> Method:
    """A method away from its start, so that nothing of it is zero."""
    torch.manual_seed(1)
    kind = method_class(name)
    method = kind(load_backbone(backbone), CLASSES, setting, kind.options_type(**options))
    with torch.no_grad():
        for group in method.groups():
            for parameter in group.parameters:
                parameter.add_(0.05 * torch.randn_like(parameter))
    return method.eval()


def test_the_folder_holds_what_it_says(exported: Encoder) -> None:
    written = json.loads((exported.folder / CONFIG).read_text())
    there = {path.name for path in exported.folder.iterdir()}
    assert there == {*written["files"], CONFIG, CARD}
    assert (written["format"], written["version"], written["precision"]) == ("sketchseek-model", 2, "fp16")
    assert written["measured"]["parity"] > 0.9999
    assert written["graphs"]["photo"] == written["graphs"]["sketch"] == "photo.onnx"  # the very same numbers
    card = (exported.folder / CARD).read_text()
    assert card.startswith("# tiny\n")
    assert "method zero-shot" in card


def test_the_same_weights_give_the_same_model(exported: Encoder, tiny_clip_folder: Path, tmp_path: Path) -> None:
    assert export(tiny_clip_folder, tmp_path / "again").identity == exported.identity


def test_a_run_becomes_a_model_with_graphs_of_its_own_for_sketches(
    exported: Encoder, tiny_clip_folder: Path, tmp_path: Path, photos: Any, sketches: Any
) -> None:
    run = write_run(tmp_path / "run", tiny_clip_folder, "clip-at")
    found, wanted = export(run, tmp_path / "model"), load_model(run, device="cpu")
    assert found.record.graphs["sketch"] == "sketch.onnx"
    assert found.record.method == "clip-at"
    for ours, theirs in (
        (found.encode_photos(photos), wanted.encode_photos(photos)),
        (found.encode_sketches(sketches), wanted.encode_sketches(sketches)),
        (found.encode_texts(["a cat"]), wanted.encode_texts(["a cat"])),
    ):
        assert ((ours * theirs).sum(axis=1) > 0.9999).all()
    assert found.patches_sketches(sketches).shape == (len(sketches), 49, 16)
    # The matrices are those of the backbone, stored once for photos and sketches.
    assert stored(found.folder) <= 1.1 * stored(exported.folder)


def stored(folder: Path) -> int:
    """Bytes of the weights that graphs share."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def test_local_windows_are_part_of_the_vector(tiny_clip_folder: Path, tmp_path: Path, photos: Any) -> None:
    run = write_run(tmp_path / "run", tiny_clip_folder, "dp-clip", unknown_text="mean")
    found, wanted = export(run, tmp_path / "model"), load_model(run, device="cpu")
    assert found.size == 5 * 16
    ours, theirs = found.encode_photos(photos), wanted.encode_photos(photos)
    assert ((ours * theirs).sum(axis=1) > 0.9999).all()
    texts = found.encode_texts(["a cat"])
    assert (texts[:, 16:] == 0).all()
    patches = found.patches_photos(photos[:2])
    assert patches.shape == (2, 49, 80)
    assert (patches[:, :, 16:] == 0).all()


def test_where_the_last_layer_depends_on_the_picture_patches_are_left_out(
    tiny_clip_folder: Path, tmp_path: Path, sketches: Any
) -> None:
    run = write_run(tmp_path / "run", tiny_clip_folder, "dp-clip", unknown_text="predicted")
    found, wanted = export(run, tmp_path / "model"), load_model(run, device="cpu")
    ours, theirs = found.encode_sketches(sketches), wanted.encode_sketches(sketches)
    assert ((ours * theirs).sum(axis=1) > 0.9999).all()
    with pytest.raises(EngineError, match="the model model has no vectors for patches"):
        found.patches_sketches(sketches)


@pytest.mark.parametrize(
    ("name", "setting", "options", "message"),
    [
        ("dp-clip", "fine-grained", {}, "fine-grained dp-clip, which must see pictures of a category"),
        ("splip", "category", {"text_cost": "per-image"}, "reads the texts of all classes again for every picture"),
    ],
)
def test_what_no_graph_can_hold_is_refused(
    tiny_clip_folder: Path, tmp_path: Path, name: str, setting: str, options: dict[str, Any], message: str
) -> None:
    run = write_run(tmp_path / "run", tiny_clip_folder, name, setting, **options)
    with pytest.raises(EngineError, match=message):
        export(run, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_what_does_not_agree_with_torch_leaves_nothing_behind(
    tiny_clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        parity, "run_torch", lambda *given: [np.roll(values, 1, axis=-1) for values in run_torch(*given)]
    )
    with pytest.raises(EngineError, match=r"does not compute what torch does \(cosine .*\): nothing was written"):
        export(tiny_clip_folder, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_while_writing_leaves_nothing_behind(
    tiny_clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write_module, "write_record", full)
    with pytest.raises(EngineError, match="model cannot be written: No space left on device"):
        export(tiny_clip_folder, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tiny_clip_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(EngineError, match="already exists: name a new folder with --out"):
        export(tiny_clip_folder, tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_int8_wants_pictures(tiny_clip_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"int8 requires pictures .*: name a dataset with --data"):
        export(tiny_clip_folder, tmp_path / "model", int8=True)


EVERY = [
    ("zero-shot", "category", {}),
    ("linear-probe", "category", {}),
    ("full-fine-tune", "category", {}),
    ("shallow-prompts", "category", {}),
    ("modality-prompts", "category", {}),
    ("independent-prompts", "fine-grained", {}),
    ("deep-prompts", "category", {}),
    ("conditional-prompts", "category", {}),
    ("clip-at", "fine-grained", {}),
    ("clip-at", "category", {"encoders": "shared-norms"}),
    ("splip", "category", {}),
    ("splip", "fine-grained", {"block_per_layer": True}),
    ("dp-clip", "category", {}),
]


@pytest.mark.parametrize(("name", "setting", "options"), EVERY)
def test_graphs_of_every_method_agree_with_torch(
    tiny_clip_folder: Path, name: str, setting: Any, options: dict[str, Any]
) -> None:
    method = random_method(tiny_clip_folder, name, setting, **options)
    _, cosine = write_module.traced(method)
    assert cosine > 0.9999
