"""Graphs written from tensors compute what transformers computes, for every family and batch size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from sketchseek.clip.weights import load_backbone
from sketchseek.engine import load
from sketchseek.engine.convert import Description, convert, family
from sketchseek.engine.folder import TOKENIZER, read_record
from sketchseek.engine.sample_inputs import sample_pictures
from sketchseek.pictures import Preprocessing, normalise
from sketchseek.tokenizer import Tokenizer
from tests.engine.convert.conftest import Graphs
from tests.hub import published

BATCHES = (1, 3, 16)
TEXTS = ["a cat", "a photo of the red fish, not of a toy", "", "Dog"]


def unit(vectors: Any) -> NDArray[np.float32]:
    return np.asarray(torch.nn.functional.normalize(vectors, dim=-1).detach().numpy())


def close(found: NDArray[Any], wanted: NDArray[Any]) -> None:
    """What every graph of 32-bit weights must do."""
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)


def pixels(count: int, record: Preprocessing) -> tuple[NDArray[np.uint8], torch.Tensor]:
    """Prepared pictures, and what transformers sees of them."""
    prepared = sample_pictures(count, record.size, seed=count)
    return prepared, torch.from_numpy(normalise(prepared, record))


def text_inputs(graphs: Graphs, texts: list[str]) -> dict[str, Any]:
    tokens = Tokenizer((graphs.folder / TOKENIZER).read_bytes(), path=Path("tokenizer.json"), context=77)(texts)
    return {"ids": tokens.ids, "ends": tokens.ends}


def filled(inputs: dict[str, Any], context: int, padding: int) -> torch.Tensor:
    """Token numbers (n, context) with another padding."""
    full = np.full((len(inputs["ids"]), context), padding)
    for row, (ids, end) in enumerate(zip(inputs["ids"], inputs["ends"], strict=True)):
        full[row, : end + 1] = ids[: end + 1]
    return torch.from_numpy(full)


@pytest.fixture(scope="module")
def clip_model(tiny_clip_folder: Path) -> Any:
    from transformers import CLIPModel

    return CLIPModel.from_pretrained(tiny_clip_folder).eval()


def test_clip(tiny_clip_folder: Path, clip_model: Any, converted: Callable[..., Graphs]) -> None:
    graphs = converted(tiny_clip_folder)
    for count in BATCHES:
        prepared, seen = pixels(count, graphs.record.photos)
        wanted = unit(clip_model.get_image_features(pixel_values=seen).pooler_output)
        close(graphs("photo", pixels=prepared), wanted)
        close(graphs("sketch", pixels=prepared), wanted)
        texts = (TEXTS * 4)[:count]
        inputs = text_inputs(graphs, texts)
        wanted = unit(clip_model.get_text_features(torch.from_numpy(inputs["ids"])).pooler_output)
        close(graphs("text", **inputs), wanted)


def test_patches_of_clip_are_the_last_layers_tokens_projected(
    tiny_clip_folder: Path, converted: Callable[..., Graphs]
) -> None:
    graphs, backbone = converted(tiny_clip_folder), load_backbone(tiny_clip_folder)
    prepared, seen = pixels(3, graphs.record.photos)
    image = backbone.image
    left = image.run(image.embed(seen), keep=[image.depth]).tokens[image.depth]
    states = graphs("photo", "states", pixels=prepared)
    close(graphs("photo_patches", states=states), unit(image.project(left[:, 1:])))


def test_siglip(siglip: tuple[Path, Any], converted: Callable[..., Graphs]) -> None:
    folder, model = siglip
    graphs = converted(folder)
    for count in BATCHES:
        prepared, seen = pixels(count, graphs.record.photos)
        wanted = unit(model.get_image_features(pixel_values=seen).pooler_output)
        close(graphs("photo", pixels=prepared), wanted)
        inputs = text_inputs(graphs, (TEXTS * 4)[:count])
        wanted = unit(model.get_text_features(filled(inputs, 64, padding=1)).pooler_output)
        close(graphs("text", **inputs), wanted)


def test_a_patch_of_siglip_is_what_the_head_makes_of_it_alone(
    siglip: tuple[Path, Any], converted: Callable[..., Graphs]
) -> None:
    folder, model = siglip
    graphs = converted(folder)
    prepared, seen = pixels(2, graphs.record.photos)
    tokens = model.vision_model(pixel_values=seen).last_hidden_state  # (2, 16, 32)
    alone = model.vision_model.head(tokens.reshape(-1, 1, 32)).reshape(2, 16, 32)
    states = graphs("photo", "states", pixels=prepared)
    close(graphs("photo_patches", states=states), unit(alone))


def test_siglip_2_for_any_shape_at_a_square(siglip2: tuple[Path, Any], converted: Callable[..., Graphs]) -> None:
    folder, model = siglip2
    graphs = converted(folder)
    prepared, seen = pixels(3, graphs.record.photos)
    patches = seen.reshape(3, 3, 4, 16, 4, 16).permute(0, 2, 4, 3, 5, 1).reshape(3, 16, -1)
    mask, shapes = torch.ones(3, 16, dtype=torch.long), torch.full((3, 2), 4)
    features = model.get_image_features(pixel_values=patches, pixel_attention_mask=mask, spatial_shapes=shapes)
    close(graphs("photo", pixels=prepared), unit(features.pooler_output))
    inputs = text_inputs(graphs, TEXTS)
    wanted = unit(model.get_text_features(filled(inputs, 64, padding=0)).pooler_output)
    close(graphs("text", **inputs), wanted)


@pytest.mark.parametrize(("precision", "least"), [("fp16", 0.999999), ("int8", 0.999)])
def test_smaller_weights_cost_little(
    precision: str, least: float, tiny_clip_folder: Path, converted: Callable[..., Graphs]
) -> None:
    exact, small = converted(tiny_clip_folder), converted(tiny_clip_folder, precision)
    prepared, _ = pixels(4, exact.record.photos)
    assert (exact("photo", pixels=prepared) * small("photo", pixels=prepared)).sum(axis=1).min() > least
    assert small.record.precision == precision
    sizes = [sum(facts.size for facts in graphs.record.files.values()) for graphs in (exact, small)]
    assert sizes[1] < sizes[0]
    if precision == "int8":
        prepared, _ = pixels(2, exact.record.photos)
        assert small.record.measured["cosines"].keys() == {"photo", "text"}
        assert all(least < cosine <= 1 for cosine in small.record.measured["cosines"].values())


def test_8_bits_are_computed_in_integers_each_picture_alone(tmp_path: Path, converted: Callable[..., Graphs]) -> None:
    published.clip(tmp_path / "wide", width=128, depth=3)  # a multiple of the numbers that share a step
    exact, small = converted(tmp_path / "wide"), converted(tmp_path / "wide", "int8")
    prepared, _ = pixels(4, exact.record.photos)
    found = small("photo", pixels=prepared)
    cosines = (exact("photo", pixels=prepared) * found).sum(axis=1)
    assert 0.998 < cosines.min() < 0.9999999
    for number in range(4):  # the step of a number does not depend on the other pictures
        np.testing.assert_allclose(small("photo", pixels=prepared[number : number + 1])[0], found[number], atol=1e-6)
    graph = onnx.load_from_string((small.folder / "photo.onnx").read_bytes())
    assert sum(node.op_type == "MatMulNBits" for node in graph.graph.node) == 3 * 6 + 1
    sizes = [sum(facts.size for facts in graphs.record.files.values()) for graphs in (exact, small)]
    assert sizes[1] < 0.35 * sizes[0]


def test_the_folder_is_read_back_and_used(siglip: tuple[Path, Any], tmp_path: Path) -> None:
    folder, model = siglip
    steps: list[str] = []
    out = tmp_path / "models" / "siglip"
    record = convert(folder, out, name="siglip", about="tiny", licence="MIT", progress=steps.append)
    assert steps == ["writing graphs and weights", "computing golden vectors"]
    assert (record.precision, record.version, record.size, record.grid, record.context) == ("fp16", 2, 32, 4, 64)
    assert record.temperature == pytest.approx(float(torch.exp(-model.logit_scale.detach())))
    assert read_record(out) == record
    assert [path.name for path in out.parent.iterdir()] == ["siglip"]
    encoder = load(out)
    encoder.verify()
    assert encoder.encode_texts(TEXTS).shape == (4, 32)
    assert encoder.patches_photos([sample_pictures(1, 50)[0]]).shape == (1, 16, 32)
    assert "Converted by sketchseek" in (out / "README.md").read_text()


def test_the_family_of_a_folder(tiny_clip_folder: Path, siglip: tuple[Path, Any], siglip2: tuple[Path, Any]) -> None:
    assert family(tiny_clip_folder) == Description(family="clip", side=224, text="clip")
    assert family(tiny_clip_folder / "model.safetensors").family == "clip"
    for folder, _ in (siglip, siglip2):
        assert family(folder) == Description(family="siglip", side=64, text="siglip")
