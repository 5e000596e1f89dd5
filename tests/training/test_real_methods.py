"""The papers' methods on a tiny CLIP: trained, interrupted, resumed and read back, through nothing but files."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from sketchseek import load_model
from sketchseek.clip.weights import load_backbone
from sketchseek.errors import SketchseekError
from sketchseek.model import is_category_model
from sketchseek.pictures import load_photo, load_sketch
from sketchseek.training import backbones
from sketchseek.training.presets import recipe_from_preset
from sketchseek.training.session import train
from sketchseek.training.stem_cache import StemCache
from tests.training.test_session import interrupt, same_run


@pytest.mark.parametrize(
    ("method", "setting"),
    [
        pytest.param("clip-at", "category", marks=pytest.mark.slow),
        ("clip-at", "fine-grained"),
        ("splip", "fine-grained"),
        pytest.param("dp-clip", "fine-grained", marks=pytest.mark.slow),
        pytest.param("full-fine-tune", "category", marks=pytest.mark.slow),
    ],
)
def test_a_method_resumes_and_is_read_back(
    method: str,
    setting: Any,
    data: Path,
    tiny_clip_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backbones, "load_backbone", load_backbone)
    given = {"data": str(data), "backbone": str(tiny_clip_folder), "steps": 3, "batch": 8, "validate_every": 3}
    given |= {"validation_subset": "3-sketches-per-class,3-photos-per-class"}
    given |= {"remember": 1} if setting == "category" else {}
    given |= {"per_class": 4} if (method, setting) == ("clip-at", "fine-grained") else {}
    recipe = recipe_from_preset(method, "default", setting, "custom", given, "test")
    cache = StemCache(1)
    train(recipe, tmp_path / "whole", stem_cache=cache)
    assert bool(len(cache)) == (recipe.remember > 0 and method != "full-fine-tune")  # which trains the stem
    interrupt(recipe, tmp_path / "pieces", 2, monkeypatch)
    train(recipe, tmp_path / "pieces", resume=True)
    assert same_run(tmp_path / "whole", tmp_path / "pieces")

    model = load_model(tmp_path / "whole", device="cpu")
    sketch = load_sketch(data / "sketch" / "emu" / "p0-1.png")
    photos = [load_photo(data / "photo" / "emu" / f"p{n}.png", target=model.photo_side) for n in range(2)]
    if is_category_model(model):
        model = model.for_category("emu", [sketch], photos)
    vectors = np.concatenate([model.encode_photos(photos), model.encode_sketches([sketch])])
    assert vectors.shape == (3, model.size)
    assert np.isfinite(vectors).all()


def test_a_pickled_backbone_is_opened_only_when_trusted(
    data: Path, tiny_clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backbones, "load_backbone", load_backbone)
    folder = Path(shutil.copytree(tiny_clip_folder, tmp_path / "pickled"))
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    given = {"data": str(data), "backbone": str(folder), "steps": 1, "batch": 8, "validate_every": 1}
    given |= {"validation_subset": "3-sketches-per-class,3-photos-per-class"}
    recipe = recipe_from_preset("linear-probe", "default", "category", "custom", given, "test")
    with pytest.raises(SketchseekError, match="--trust-pickle"):
        train(recipe, tmp_path / "run")
    train(recipe, tmp_path / "run", trust_pickle=True)
    with pytest.raises(SketchseekError, match="--trust-pickle"):
        load_model(tmp_path / "run")
    assert load_model(tmp_path / "run", trust_pickle=True).size == 16
