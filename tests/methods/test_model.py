"""The zero-shot model: unit rows that depend on their own picture alone, and one call that loads it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sketchseek import load_model
from sketchseek.clip.weights import load_backbone
from sketchseek.errors import SketchseekError
from sketchseek.installation import extra_command
from sketchseek.methods.model import BATCH, MethodModel
from sketchseek.model import Model
from sketchseek.pictures import RasterSketch, StrokeSketch, prepare, sketch_from_strokes


@pytest.fixture(scope="module")
def model(tiny_clip_folder: Path) -> MethodModel:
    loaded = load_model(tiny_clip_folder, device="cpu")
    assert isinstance(loaded, MethodModel)
    return loaded


def photos(count: int) -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    sides = [(40 + 7 * n, 90 - 3 * n) for n in range(count)]
    return [np.repeat(np.repeat(random.integers(0, 256, (h // 8, w // 8, 3), np.uint8), 8, 0), 8, 1) for h, w in sides]


def sketches() -> list[RasterSketch | StrokeSketch]:
    sheet = np.full((100, 60, 3), 255, np.uint8)
    sheet[20:80, 30:33] = 0
    return [RasterSketch(sheet), sketch_from_strokes([[[0, 50, 100], [0, 90, 10]], [[5, 6], [70, 80]]])]


def test_it_is_a_model(model: MethodModel, tiny_clip_folder: Path) -> None:
    as_declared: Model = model
    assert (as_declared.name, as_declared.size, as_declared.photo_side) == (tiny_clip_folder.name, 16, 224)


def test_rows_are_the_towers_embeddings_at_length_one(model: MethodModel) -> None:
    backbone, pictures, drawings = model.method.backbone, photos(2), sketches()
    with torch.inference_mode():
        for rows, pixels in (
            (model.encode_photos(pictures), [prepare(one, backbone.photos) for one in pictures]),
            (model.encode_sketches(drawings), [prepare(one, backbone.sketches) for one in drawings]),
        ):
            expected = backbone.image(torch.from_numpy(np.stack(pixels))).numpy()
            expected /= np.linalg.norm(expected, axis=1, keepdims=True)
            assert rows.dtype == np.float32 and rows.shape == (2, 16)
            np.testing.assert_allclose(rows, expected, atol=1e-6)
        tokens = backbone.tokens(["a cat"])
        expected = torch.nn.functional.normalize(backbone.text(tokens.ids, tokens.ends)).numpy()
    np.testing.assert_allclose(model.encode_texts(["a cat"]), expected, atol=1e-6)


def test_a_row_does_not_depend_on_what_else_is_encoded(model: MethodModel) -> None:
    pictures = photos(5)
    many = model.encode_photos([*pictures, *pictures[:2]] * (BATCH // 7 + 2))
    alone = np.concatenate([model.encode_photos([one]) for one in pictures])
    np.testing.assert_allclose(many[:5], alone, atol=1e-6)
    np.testing.assert_allclose(many[-7:-2], alone, atol=1e-6)
    texts = ["cat", "a photo of a hot air balloon with a very long description", ""]
    together = model.encode_texts(texts)
    np.testing.assert_allclose(together, np.concatenate([model.encode_texts([one]) for one in texts]), atol=1e-6)


def test_nothing_gives_no_rows(model: MethodModel) -> None:
    for rows in (model.encode_photos([]), model.encode_sketches([]), model.encode_texts([])):
        assert rows.shape == (0, 16) and rows.dtype == np.float32


def test_the_identity_covers_weights_and_preprocessing(
    model: MethodModel, tiny_clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_model(tiny_clip_folder).identity == model.identity
    import shutil

    copy = Path(shutil.copytree(tiny_clip_folder, tmp_path / "other"))
    assert load_model(copy).identity == model.identity
    assert load_model(copy).name == "other"
    path = copy / "preprocessor_config.json"
    path.write_text(path.read_text().replace('"resample": 3', '"resample": 2'))
    assert load_model(copy).identity != model.identity


def test_a_backbone_comes_frozen_for_a_method_to_adapt(tiny_clip_folder: Path) -> None:
    backbone = load_backbone(tiny_clip_folder)
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert backbone.class_tokens(["hot-air_balloon"]).ids.tolist() == (
        backbone.tokens(["a photo of a hot air balloon"]).ids.tolist()
    )


@pytest.mark.parametrize("device", ["nonsense", "cuda:99", "cuda:x"])
def test_a_device_that_is_not_there_is_one_sentence(tiny_clip_folder: Path, device: str) -> None:
    with pytest.raises(SketchseekError, match=f"the device '{device}' cannot be used") as caught:
        load_model(tiny_clip_folder, device=device)
    assert "\n" not in str(caught.value)


def test_a_pickle_passes_only_with_trust(tiny_clip_folder: Path, tmp_path: Path, model: MethodModel) -> None:
    import shutil

    from safetensors.torch import load_file

    folder = Path(shutil.copytree(tiny_clip_folder, tmp_path / "pickled"))
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(SketchseekError, match="--trust-pickle"):
        load_model(folder)
    trusted = load_model(folder, trust_pickle=True)
    # Not bit by bit: how products are summed may depend on where the weights lie in memory.
    np.testing.assert_allclose(trusted.encode_texts(["cat"]), model.encode_texts(["cat"]), rtol=0, atol=1e-6)


def test_without_torch_the_extra_is_named(tiny_clip_folder: Path) -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from sketchseek import SketchseekError, load_model\n"
        "try: load_model(sys.argv[1])\n"
        "except SketchseekError as error: print(error)"
    )
    done: Any = subprocess.run([sys.executable, "-c", program, tiny_clip_folder], capture_output=True, text=True)
    sentence = f"{tiny_clip_folder.name} needs torch, which is not installed; run: {extra_command('train')}"
    assert done.stdout.strip().endswith(sentence), done.stderr
    assert len(done.stdout.splitlines()) == 1
