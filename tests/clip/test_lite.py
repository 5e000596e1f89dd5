"""The backbone that ships: it loads without a network, every hook of a method works on it, its numbers stay."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sketchseek import load_model
from sketchseek.clip.adaptation import Adaptation
from sketchseek.clip.backbone import Backbone
from sketchseek.clip.layers import Branch
from sketchseek.clip.lite import LiteStem, ShortStem, build_lite, stages_of
from sketchseek.clip.weights import load_backbone
from sketchseek.errors import SketchseekError
from sketchseek.hub.catalog import list_backbones, shipped
from sketchseek.pictures import RasterSketch

GOLDEN = Path(__file__).parent / "golden_lite.json"


@pytest.fixture(scope="module")
def lite() -> Backbone:
    return load_backbone("lite")


@pytest.fixture
def photo() -> NDArray[np.uint8]:
    """A smooth picture of 120 x 160 px, the same everywhere."""
    rows, columns = np.mgrid[0:120, 0:160]
    waves = [np.sin(rows / 17 + shift) * np.cos(columns / 23 - shift) for shift in (0.0, 1.0, 2.0)]
    return (127.5 + 127.5 * np.stack(waves, axis=-1)).astype(np.uint8)


@pytest.fixture
def drawing() -> RasterSketch:
    """A ring on white paper."""
    rows, columns = np.mgrid[0:200, 0:200]
    ring = np.abs(np.hypot(rows - 100, columns - 90) - 60) < 3
    return RasterSketch(np.repeat(np.where(ring, 0, 255).astype(np.uint8)[..., None], 3, axis=2))


def test_it_ships_and_is_small() -> None:
    (line,) = (line for line in list_backbones() if line.name == "lite")
    assert (line.kind, line.here, line.path) == ("shipped", True, shipped()["lite"])
    assert line.about and line.licence
    assert sum(path.stat().st_size for path in shipped()["lite"].iterdir()) <= 30_000_000
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md"} <= {
        path.name for path in shipped()["lite"].iterdir()
    }


def test_numbers_stay(photo: NDArray[np.uint8], drawing: RasterSketch) -> None:
    model = load_model("lite", device="cpu")
    rows = {
        "photo": model.encode_photos([photo])[0],
        "drawing": model.encode_sketches([drawing])[0],
        "text": model.encode_texts(["a photo of a giraffe"])[0],
    }
    for name, golden in json.loads(GOLDEN.read_text()).items():
        np.testing.assert_allclose(rows[name][: len(golden)], golden, atol=2e-4, err_msg=name)


def test_a_row_depends_on_its_picture_only(photo: NDArray[np.uint8], drawing: RasterSketch) -> None:
    model = load_model("lite", device="cpu")
    alone = model.encode_photos([photo])
    together = model.encode_photos([photo[::-1].copy(), photo, photo[:, ::-1].copy()])
    np.testing.assert_allclose(together[1], alone[0], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert together[0] @ together[1] < 0.9999
    assert (model.encode_photos([photo]) == alone).all()
    assert model.encode_sketches([drawing]).shape == (1, model.size)


def test_every_hook_of_a_method_reaches_the_embedding(lite: Backbone) -> None:
    generator = torch.Generator().manual_seed(0)
    tower, width = lite.image, lite.image.width
    pixels = torch.randn(2, 3, tower.side, tower.side, generator=generator)
    tokens = tower.embed(pixels)
    assert (tower.grid, tokens.shape) == (7, (2, 50, width))
    plain = tower.run(tokens, keep=[tower.depth])
    assert plain.tokens[tower.depth].shape == (2, 50, width)
    prompts = {layer: torch.randn(3, width, generator=generator) for layer in range(tower.depth)}
    branch = Branch(qkv=lambda normed: normed.repeat(1, 1, 3), mlp=lambda states: 0.1 * states)
    norms = tower.copy_norms()
    torch.nn.init.constant_(norms.post.get_parameter("weight"), 2.0)
    for adaptation in (
        Adaptation(prompts=prompts),
        Adaptation(prompts=prompts, place="end"),
        Adaptation(branches={0: branch}),
        Adaptation(norms=norms),
    ):
        changed = tower.run(tokens, adaptation, keep=[tower.depth])
        assert changed.tokens[tower.depth].shape == (2, 50, width)
        assert not torch.allclose(changed.embedding, plain.embedding, atol=1e-3)
    read = lite.class_tokens(["hot-air_balloon", "cat"])
    said = lite.text(read.ids, read.ends, Adaptation(prompts={0: torch.randn(2, lite.text.width, generator=generator)}))
    assert said.shape == (2, lite.size)


def test_patches_see_where_they_are() -> None:
    torch.manual_seed(0)
    stem = LiteStem(grid=7, width=16, layout=4).eval()
    pixels = torch.zeros(1, 3, 224, 224)
    moved = pixels.clone()
    moved[..., 192:, 192:] = 3.0
    with torch.no_grad():
        change = (stem(moved) - stem(pixels)).norm(dim=-1)[0]
    assert change[1:].argmax() in (40, 41, 47, 48)  # the last patch, or one beside it, and so no flipped or turned grid
    # CLS is the mean but for its last numbers, positions are 0 yet
    torch.testing.assert_close(stem(pixels)[:, 0, :12], stem(pixels)[:, 1:, :12].mean(1))


def test_stems_grow_as_published() -> None:
    sizes = {name: [(count, channels) for count, *_, channels in stages_of(f"efficientnet-{name}")] for name in (
        "lite0", "lite1", "lite2")}  # fmt: skip
    assert sizes["lite0"] == [(1, 16), (2, 24), (2, 40), (3, 80), (3, 112), (4, 192), (1, 320)]
    assert sizes["lite1"] == [(1, 16), (3, 24), (3, 40), (4, 80), (4, 112), (5, 192), (1, 320)]
    assert sizes["lite2"] == [(1, 16), (3, 24), (3, 48), (4, 88), (4, 120), (5, 208), (1, 352)]


def test_what_ships_has_the_second_stem(lite: Backbone) -> None:
    assert isinstance(lite.image.stem, LiteStem)
    assert len(lite.image.stem.blocks) == 21
    assert lite.photos.mean == lite.sketches.mean == (127 / 255,) * 3  # the stem was trained on (x - 127) / 128
    assert lite.photos.std == lite.sketches.std == (128 / 255,) * 3


def test_cls_knows_what_lies_where() -> None:
    torch.manual_seed(0)
    stem = LiteStem(grid=7, width=16, layout=4).eval()
    left, right = torch.zeros(2, 1, 3, 224, 224)
    left[..., 64:160, :96] = right[..., 64:160, 128:] = 3.0
    with torch.no_grad():
        change = (stem(left) - stem(right))[0, 0].abs()
    assert change[12:].max() > 10 * change[:12].mean()  # a mean hardly tells the two apart


def test_words_it_never_saw_are_read(lite: Backbone) -> None:
    read = lite.tokens(["Photo", "photo", "zxqv façade 你好", ""])
    assert read.ids[0].tolist() == read.ids[1].tolist()  # case does not matter
    assert read.ids.shape[0] == 4


@pytest.mark.parametrize("spoil", ["model_type", "image", "preprocessing"])
def test_a_damaged_config_is_told_in_one_sentence(tmp_path: Path, spoil: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for path in shipped()["lite"].iterdir():
        (folder / path.name).symlink_to(path)
    config = json.loads((folder / "config.json").read_text())
    config[spoil] = {} if spoil != "model_type" else "sketchseek-other"
    (folder / "config.json").unlink()
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(SketchseekError, match=r"config\.json"):
        load_backbone(folder)


def test_a_short_stem_is_the_first_blocks_and_leaves_the_rest_to_layers() -> None:
    torch.manual_seed(0)
    image = {
        "stem": "efficientnet-lite2",
        "blocks": 11,
        "side": 224,
        "width": 24,
        "layers": 2,
        "heads": 3,
        "mlp_width": 48,
    }
    text = {"vocabulary": 20, "context": 8, "width": 16, "layers": 1, "heads": 2, "mlp_width": 16}
    tower = build_lite({"size": 32, "image": image, "text": text})[0]
    stem, whole = tower.stem, LiteStem(grid=7, width=24, layout=4, stem="efficientnet-lite2")
    assert isinstance(stem, ShortStem) and stem.to_width.bias is not None
    torch.nn.init.normal_(stem.positions)
    whole.first.load_state_dict(stem.first.state_dict())
    whole.blocks[:11].load_state_dict(stem.blocks.state_dict())
    pixels = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        tokens, maps = stem(pixels), whole.early(pixels, 11)
    assert (maps.shape, tokens.shape) == ((2, 88, 14, 14), (2, 50, 24))
    cell = maps[1, :, 4:6, 8:10]  # row 2, column 4 of the grid
    expected = (stem.to_width.weight * cell).sum((1, 2, 3)) + stem.to_width.bias + stem.positions[1 + 2 * 7 + 4]
    torch.testing.assert_close(tokens[1, 1 + 2 * 7 + 4], expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(tokens[0, 0], stem.cls + stem.positions[0])
    assert tower(pixels).shape == (2, 32)
