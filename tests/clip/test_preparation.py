"""What checkpoints say about their pictures, old spelling and new, as records of ours."""

import json
from pathlib import Path
from typing import Any

import pytest

from sketchseek.clip.preparation import preprocessing_of
from sketchseek.hub.files import BackboneFiles
from sketchseek.pictures import CLIP_MEAN, CLIP_STD

USUAL = {"image_mean": list(CLIP_MEAN), "image_std": list(CLIP_STD), "resample": 3}


def files(
    folder: Path, preprocessor: dict[str, Any] | None = None, config: dict[str, Any] | None = None
) -> BackboneFiles:
    def written(name: str, values: dict[str, Any] | None) -> Path | None:
        if values is None:
            return None
        (folder / name).write_text(json.dumps(values))
        return folder / name

    weights = (folder / "model.safetensors",)
    there = written("config.json", config), written("preprocessor_config.json", preprocessor)
    return BackboneFiles("x", weights, there[0], folder / "tokenizer.json", there[1])


@pytest.mark.parametrize(
    "written",
    [
        {"size": 224, "crop_size": 224, "do_resize": True, "do_center_crop": True},
        {"size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224}, "do_center_crop": True},
        {"size": {"shortest_edge": 224}, "crop_size": 224, "feature_extractor_type": "CLIPFeatureExtractor"},
    ],
)
def test_clips_own_preparation_in_each_spelling(tmp_path: Path, written: dict[str, Any]) -> None:
    photos, sketches = preprocessing_of(files(tmp_path, USUAL | written), side=224)
    assert (photos.size, photos.fit, photos.interpolation) == (224, "crop", "bicubic")
    assert (photos.mean, photos.std) == (CLIP_MEAN, CLIP_STD)
    assert (sketches.placement, sketches.fill, sketches.mean) == ("ink", (255, 255, 255), CLIP_MEAN)


def test_a_checkpoint_that_says_nothing_is_prepared_as_clip(tmp_path: Path) -> None:
    said, _ = preprocessing_of(files(tmp_path, USUAL | {"size": 336}), side=336)
    unsaid, _ = preprocessing_of(files(tmp_path), side=336)
    assert said == unsaid


def test_a_fixed_height_and_width_is_squashed(tmp_path: Path) -> None:
    written = USUAL | {"size": {"height": 224, "width": 224}, "do_center_crop": False, "resample": 2}
    photos, _ = preprocessing_of(files(tmp_path, written), side=224)
    assert (photos.fit, photos.interpolation) == ("squash", "bilinear")


@pytest.mark.parametrize(("mode", "fit"), [("shortest", "crop"), ("longest", "pad"), ("squash", "squash")])
def test_open_clips_modes(tmp_path: Path, mode: str, fit: str) -> None:
    config = {"preprocess_cfg": {"mean": [0, 0, 0], "std": [1, 1, 1], "resize_mode": mode, "interpolation": "bilinear"}}
    photos, _ = preprocessing_of(files(tmp_path, config=config), side=240)
    assert (photos.size, photos.fit, photos.interpolation) == (240, fit, "bilinear")
    assert (photos.mean, photos.std) == ((0, 0, 0), (1, 1, 1))
