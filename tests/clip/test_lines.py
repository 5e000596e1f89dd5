"""The head of lines: it reads the stem's maps, is loaded with its backbone, and is optional."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import interpolate, relu, relu6

from sketchseek.clip.backbone import Backbone
from sketchseek.clip.lines import Lines
from sketchseek.clip.lite import LiteStem
from sketchseek.clip.weights import load_backbone
from sketchseek.errors import SketchseekError
from sketchseek.hub.catalog import shipped
from sketchseek.outlines import SIDE
from sketchseek.training.backbones import weights_identity

BLOCKS = (0, 2, 4, 7, 10, 15)
WRITTEN = {"blocks": list(BLOCKS), "thin": 4, "wide": 8}


def with_lines(folder: Path, *, seed: int = 0) -> Path:
    """The backbone that ships, with a head of lines with random weights."""
    shutil.copytree(shipped()["lite"], folder)
    config = json.loads((folder / "config.json").read_text())
    for part in ("image", "text"):
        config[part]["layers"] = 1  # quick to export
    tensors = {name: tensor for name, tensor in load_file(folder / "model.safetensors").items() if not _deep(name)}
    if config.pop("lines", None):
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("lines.")}
    stem = load_backbone("lite").image.stem
    assert isinstance(stem, LiteStem)
    torch.manual_seed(seed)
    lines = Lines(stem, blocks=BLOCKS, thin=4, wide=8, side=224)
    tensors |= {f"lines.{name}": tensor.half() for name, tensor in lines.state_dict().items()}
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config | {"lines": WRITTEN}))
    return folder


def _deep(name: str) -> bool:
    """Whether it is a tensor of a layer after the first."""
    return ".layers." in name and ".layers.0." not in name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_lines(tmp_path_factory.mktemp("lines") / "lite")


@pytest.fixture(scope="module")
def backbone(folder: Path) -> Backbone:
    return load_backbone(folder)


def slow_lines(backbone: Backbone, pixels: torch.Tensor) -> torch.Tensor:
    """The head, block by block."""
    stem, lines = backbone.image.stem, backbone.lines
    assert isinstance(stem, LiteStem) and lines is not None
    maps, found = relu6(stem.first(pixels)), []
    for number, block in enumerate(stem.blocks):
        maps = block(maps)
        if number in BLOCKS:
            thin = lines.thin[BLOCKS.index(number)](maps)
            found.append(interpolate(thin, size=(SIDE, SIDE), mode="bilinear", align_corners=False))
    return lines.last(relu(lines.look(torch.cat(found, dim=1))))[:, 0].sigmoid()  # type: ignore[no-any-return]


def test_it_looks_at_the_maps_of_these_blocks(backbone: Backbone) -> None:
    lines, stem = backbone.lines, backbone.image.stem
    assert isinstance(stem, LiteStem) and lines is not None
    assert lines.shapes == [(16, 56), (24, 56), (48, 28), (88, 14), (88, 14), (208, 7)]
    pixels = torch.randn(3, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        maps = lines.maps(stem, pixels)
        found = lines(maps)
        assert found.shape == (3, SIDE, SIDE)
        torch.testing.assert_close(found, slow_lines(backbone, pixels), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(lines.logits(maps).sigmoid(), found)
        torch.testing.assert_close(lines(lines.maps(stem, pixels[1:2])), found[1:2], atol=1e-5, rtol=1e-4)
    assert not any(parameter.requires_grad for parameter in lines.parameters())


def test_other_stems_have_it_too() -> None:
    """Twice as many blocks, for example."""
    stem = LiteStem(grid=7, width=16, layout=4)
    stem.blocks.append(stem.blocks[-1])
    assert Lines(stem, blocks=(1, 16), thin=2, wide=2, side=224).shapes == [(24, 56), (320, 7)]


@pytest.mark.parametrize("blocks", [(0, 99), (-1, 0)])
def test_blocks_that_are_not_there_are_one_sentence(folder: Path, tmp_path: Path, blocks: tuple[int, ...]) -> None:
    other = _changed(folder, tmp_path, lambda config: config["lines"].update(blocks=blocks))
    with pytest.raises(SketchseekError, match=r"config\.json does not describe a lite backbone: lines look at blocks"):
        load_backbone(other)


def test_without_the_key_or_the_tensors_it_does_not_load(folder: Path, tmp_path: Path) -> None:
    other = _changed(folder, tmp_path / "a", lambda config: config.pop("lines"))
    with pytest.raises(SketchseekError, match="contains 16 tensors that such a backbone does not have, such as lines"):
        load_backbone(other)
    other = _changed(folder, tmp_path / "b", lambda _: None)
    tensors = {name: tensor for name, tensor in load_file(other / "model.safetensors").items() if "lines" not in name}
    (other / "model.safetensors").unlink()
    save_file(tensors, other / "model.safetensors")
    with pytest.raises(SketchseekError, match=r"lacks 16 of \d+ tensors, such as lines"):
        load_backbone(other)


def test_an_adapter_fits_a_backbone_whatever_its_lines(folder: Path, backbone: Backbone) -> None:
    before = weights_identity(backbone)
    other = load_backbone(folder)
    assert other.lines is not None
    torch.nn.init.ones_(other.lines.last.weight)
    assert weights_identity(other) == before
    other.lines = None
    assert weights_identity(other) == before


def _changed(folder: Path, place: Path, change: Callable[[dict[str, dict[str, object]]], object]) -> Path:
    """The folder with another config."""
    place.mkdir(exist_ok=True)
    for path in folder.iterdir():
        (place / path.name).symlink_to(path)
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (place / "config.json").unlink()
    (place / "config.json").write_text(json.dumps(config))
    return place
