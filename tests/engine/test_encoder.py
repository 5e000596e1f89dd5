"""The encoder computes what torch does, row by row, whatever stands beside a row."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sketchseek import SketchseekError, load_model
from sketchseek.clip.towers import ImageTower
from sketchseek.clip.weights import load_backbone
from sketchseek.engine import Encoder, EngineError, load
from sketchseek.engine.sessions import CPU_BATCH
from sketchseek.pictures import Sketch, prepare_batch

Photos = list[NDArray[np.uint8]]
TEXTS = ["cat", "a photo of a hot air balloon", "", "a sketch of a dog, not of a giraffe"]


@pytest.fixture(scope="module")
def torch_model(tiny_clip_folder: Path) -> Any:
    return load_model(tiny_clip_folder, device="cpu")


def test_vectors_are_those_of_torch(
    exported: Encoder, torch_model: Any, photos: Photos, sketches: list[Sketch]
) -> None:
    for ours, theirs in (
        (exported.encode_photos(photos), torch_model.encode_photos(photos)),
        (exported.encode_sketches(sketches), torch_model.encode_sketches(sketches)),
        (exported.encode_texts(TEXTS), torch_model.encode_texts(TEXTS)),
    ):
        assert ours.dtype == np.float32
        assert ours.shape == theirs.shape
        assert ((ours * theirs).sum(axis=1) > 0.9999).all()
        np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)


def test_a_row_does_not_depend_on_the_others(exported: Encoder, photos: Photos) -> None:
    assert len(photos) > CPU_BATCH
    alone = np.concatenate([exported.encode_photos([photo]) for photo in photos])
    np.testing.assert_allclose(exported.encode_photos(photos), alone, atol=1e-6)
    alone = np.concatenate([exported.encode_texts([text]) for text in TEXTS])
    np.testing.assert_allclose(exported.encode_texts(TEXTS), alone, atol=1e-6)


def test_nothing_gives_nothing(exported: Encoder) -> None:
    for rows in (exported.encode_photos([]), exported.encode_sketches([]), exported.encode_texts([])):
        assert rows.shape == (0, 16)
    assert exported.patches_photos([]).shape == (0, 49, 16)


def test_patches_are_the_last_layers_tokens_projected(
    exported: Encoder, tiny_clip_folder: Path, photos: Photos, sketches: list[Sketch]
) -> None:
    backbone = load_backbone(tiny_clip_folder)
    image: ImageTower = backbone.image
    for found, pixels in (
        (exported.patches_photos(photos), prepare_batch(photos, backbone.photos)),
        (exported.patches_sketches(sketches), prepare_batch(sketches, backbone.sketches)),
    ):
        with torch.no_grad():
            left = image.run(image.embed(torch.from_numpy(pixels)), keep=[image.depth]).tokens[image.depth]
            wanted = torch.nn.functional.normalize(image.project(left[:, 1:]), dim=2).numpy()
        assert found.shape == wanted.shape == (len(pixels), 49, 16)
        assert ((found * wanted).sum(axis=2) > 0.9999).all()


def test_what_it_says_of_itself(exported: Encoder) -> None:
    assert (exported.name, exported.size, exported.photo_side, exported.grid) == ("tiny", 16, 224, 7)
    assert exported.record.name == "tiny"
    assert len(exported.identity) == 64


def test_threads_may_share_it(exported: Encoder, photos: Photos) -> None:
    fresh = load(exported.folder)
    with ThreadPoolExecutor(4) as pool:
        several = list(pool.map(lambda _: fresh.encode_photos(photos[:3]), range(8)))
    for vectors in several:
        np.testing.assert_allclose(vectors, exported.encode_photos(photos[:3]), atol=1e-6)


def test_a_text_that_does_not_fit_is_refused(exported: Encoder) -> None:
    with pytest.raises(SketchseekError, match="has 100 tokens, at most 75 fit: shorten it"):
        exported.encode_texts(["cat " * 100])


def test_the_provider_can_be_named(exported: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(exported.folder, provider="cpu").provider == "CPU"
    with pytest.raises(EngineError, match=r"SKETCHSEEK_PROVIDER=Quantum: .* choose one of .*CPU"):
        load(exported.folder, provider="Quantum")
    monkeypatch.setenv("SKETCHSEEK_PROVIDER", "CPUExecutionProvider")
    assert load(exported.folder).provider == "CPU"
    monkeypatch.setenv("SKETCHSEEK_PROVIDER", "abacus")
    with pytest.raises(EngineError, match="SKETCHSEEK_PROVIDER=abacus"):
        load(exported.folder)


def test_reading_a_folder_imports_neither_torch_nor_the_runtime_before_it_is_used() -> None:
    script = (
        "import sys; from sketchseek import load_model; model = load_model(sys.argv[1]); model.identity\n"
        "light = {name.partition('.')[0] for name in sys.modules}\n"
        "model.encode_texts(['cat'])\n"
        "heavy = {name.partition('.')[0] for name in sys.modules}\n"
        "unwanted = {'torch', 'transformers', 'onnx', 'onnxruntime'}\n"
        "print(sorted(light & unwanted), sorted(heavy & unwanted))"
    )
    done = subprocess.run([sys.executable, "-c", script, "default"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[] ['onnxruntime']"
