"""The backbone without drawings is built by its one command at a tiny size, and a method trains on it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from sketchseek import load_model
from sketchseek.cli import main
from sketchseek.clip.lite import ImageNetStem
from sketchseek.clip.weights import load_backbone
from sketchseek.training import files
from tests.pretraining.stand_ins import PRETRAINING, STEM, WEIGHTS, write_packages, write_pretraining_data

LAYERS = 8


def run(*command: str | Path, packages: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(packages), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.timeout(600)
@pytest.mark.slow  # four processes that import torch
def test_photoclip_is_built_by_one_command_and_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = write_packages(tmp_path / "packages")
    data = write_pretraining_data(tmp_path / "data", photos=4)
    folder = tmp_path / "run-photoclip" / "photoclip"
    given = (f"DATA={data}", f"RUN={tmp_path / 'run'}", "STEPS=5", f"PYTHON={sys.executable}")
    build = ("make", "-C", PRETRAINING, "photoclip", *given)
    assert '"photos to photos"' in run(*build, packages=packages)
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors", "tokenizer.json"}

    # only photos were opened, and only those of classes to train on
    listed = (folder.parent / "photos.json").read_text()
    assert listed.count('"kind": "photo"') == 8 == len(np.load(folder.parent / "ready.npy"))
    assert "sketch/" not in listed and "dog" not in listed and "emu" not in listed

    # frozen blocks are the network's; what follows was trained
    state = load_file(folder / "model.safetensors")
    stem, weights = ImageNetStem(STEM, 11), torch.load(packages / WEIGHTS)
    first = weights["_conv_stem.weight"] / (1 + 1e-3) ** 0.5  # its made batch norm has scale and variance 1
    torch.testing.assert_close(state["image.stem.first.conv.weight"].float(), first, atol=1e-3, rtol=1e-3)
    assert {name for name in state if name.startswith("image.stem.blocks.")} == {
        f"image.stem.blocks.{name}" for name in stem.blocks.state_dict()
    }
    assert all(value.isfinite().all() for value in state.values())
    assert state["image.stem.cls"].any()

    # 50 tokens, LayerNorms in eight layers, CLIP's 512 numbers
    backbone = load_backbone(folder)
    assert (backbone.size, backbone.image.grid, backbone.image.depth) == (512, 7, LAYERS)
    assert sum(isinstance(part, torch.nn.LayerNorm) for part in backbone.image.layers.modules()) == 2 * LAYERS

    # the same command continues: what is trained stays, and the folder is written again from it
    trained = folder.parent / "image.safetensors"
    before, weights_file = trained.stat().st_mtime_ns, folder / "model.safetensors"
    built = weights_file.read_bytes()
    weights_file.unlink()
    run(*build, packages=packages)
    assert trained.stat().st_mtime_ns == before
    assert weights_file.read_bytes() == built

    # our own row trains CLIP-AT on it, for one step; made data is told from ours
    monkeypatch.setenv("SKETCHSEEK_CACHE", str(tmp_path / "cache"))
    command = ["reproduce", "clip-at/photoclip", "--data", str(data / "sketchy"), "--backbone", str(folder)]
    changes = ["--set=steps=1", "--set=validate_every=1", "--set=batch=2", "--set=device=cpu"]
    with pytest.raises(SystemExit) as end:
        main([*command, *changes, "--other-data", "--out", str(tmp_path / "clip-at")])
    assert end.value.code == 3
    report = json.loads((tmp_path / "clip-at" / "report.json").read_text(encoding="utf-8"))
    assert report["changes"].keys() == {"backbone", "steps", "validate_every", "batch"}
    assert report["because"].startswith("Not comparable: the train classes have other files than our sample;")
    assert report["evaluation"]["queries"] == 4
    adapter = load_file(tmp_path / "clip-at" / files.ADAPTER)
    assert {f"norms.photo.first.{layer}.weight" for layer in range(LAYERS)} <= adapter.keys()
    assert load_model(tmp_path / "clip-at", device="cpu").size == 512
