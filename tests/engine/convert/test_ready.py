"""Ready-made ONNX in the layouts of immich, rclip and onnx-community, wrapped in our graphs."""

import gzip
import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx.external_data_helper import convert_model_to_external_data

from sketchseek.engine.convert import ConvertError, convert, family
from sketchseek.engine.convert.ready import MERGES
from sketchseek.engine.convert.texts import bytes_to_letters
from tests.engine.convert.conftest import Graphs
from tests.engine.convert.test_convert import TEXTS, close, filled, pixels, text_inputs, unit

CFG = {"size": [224, 224], "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4], "interpolation": "bicubic"}


class Pictures(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, values: Any) -> Any:
        return self.model.get_image_features(pixel_values=values).pooler_output


class Texts(Pictures):
    def forward(self, ids: Any, attention_mask: Any = None) -> Any:
        return self.model.get_text_features(ids.long(), attention_mask=attention_mask).pooler_output


def trace(module: Any, inputs: dict[str, Any], output: str, path: Path, *, free: bool) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    axes = {name: {0: "n"} for name in (*inputs, output)} if free else None
    names: dict[str, Any] = {"input_names": list(inputs), "output_names": [output]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes that become constants
        torch.onnx.export(
            module, tuple(inputs.values()), str(path), **names, dynamic_axes=axes, opset_version=17, dynamo=False
        )
    return path


@pytest.fixture(scope="module")
def model(tiny_clip_folder: Path) -> Any:
    from transformers import CLIPModel

    return CLIPModel.from_pretrained(tiny_clip_folder, attn_implementation="eager").eval()


@pytest.fixture(scope="module")
def immich(tiny_clip_folder: Path, model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One row at a time, int32 token numbers, as immich's exporter writes them."""
    folder = tmp_path_factory.mktemp("immich") / "ViT-B-32__tiny"
    image, text = torch.zeros(1, 3, 224, 224), torch.full((1, 77), 300, dtype=torch.int32)
    trace(Pictures(model), {"image": image}, "embedding", folder / "visual" / "model.onnx", free=False)
    trace(Texts(model), {"text": text}, "embedding", folder / "textual" / "model.onnx", free=False)
    (folder / "visual" / "preprocess_cfg.json").write_text(json.dumps(CFG))
    (folder / "config.json").write_text(json.dumps({"embed_dim": 16, "text_cfg": {"context_length": 77}}))
    shutil.copy(tiny_clip_folder / "tokenizer.json", folder / "textual")
    (folder / "textual" / "tokenizer_config.json").write_text(json.dumps({"pad_token": "<|endoftext|>"}))
    return folder


def same(graphs: Graphs, model: Any) -> None:
    for count in (1, 3):
        prepared, seen = pixels(count, graphs.record.photos)
        wanted = unit(model.get_image_features(pixel_values=seen).pooler_output)
        close(graphs("photo", pixels=prepared), wanted)
        inputs = text_inputs(graphs, TEXTS[:count])
        wanted = unit(model.get_text_features(torch.from_numpy(inputs["ids"])).pooler_output)
        close(graphs("text", **inputs), wanted)


def test_immichs_in_processes_of_their_own(immich: Path, model: Any, converted: Callable[..., Graphs]) -> None:
    graphs = converted(immich)
    same(graphs, model)
    record = graphs.record
    assert (record.size, record.context, record.photos.mean, record.photos.fit) == (16, 77, (0.5, 0.4, 0.3), "crop")
    assert "photo_patches" not in record.graphs


def test_weights_beside_a_graph_are_taken_along(
    immich: Path, model: Any, converted: Callable[..., Graphs], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(immich, tmp_path / "beside"))
    path = folder / "visual" / "model.onnx"
    whole = onnx.load(path)
    convert_model_to_external_data(whole, location="model.onnx.data", size_threshold=1024)
    onnx.save(whole, path)
    assert (folder / "visual" / "model.onnx.data").stat().st_size > 10_000
    same(converted(folder, "fp32"), model)


@pytest.mark.parametrize("place", ["/etc/passwd", "../secret", "missing.data"])
def test_a_graph_cannot_read_other_files(immich: Path, place: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(immich, tmp_path / "hostile"))
    path = folder / "visual" / "model.onnx"
    graph = onnx.load(path)
    convert_model_to_external_data(graph, location="model.onnx.data", size_threshold=1024)
    onnx.save(graph, path)
    graph = onnx.load(path, load_external_data=False)
    for tensor in graph.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = place
    path.write_bytes(graph.SerializeToString())
    with pytest.raises(ConvertError, match=r"which is not a file beside it|cannot be read as model\.onnx requires"):
        convert(folder, tmp_path / "out", name="x", about="", licence="")
    assert not (tmp_path / "out").exists()


def test_onnx_communitys(siglip: tuple[Path, Any], converted: Callable[..., Graphs], tmp_path: Path) -> None:
    source, torch_model = siglip
    torch_model.set_attn_implementation("eager")
    folder = tmp_path / "siglip-ONNX"
    folder.mkdir()
    for name in ("config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, folder)
    image, text = torch.zeros(2, 3, 64, 64), torch.zeros(2, 64, dtype=torch.long)
    trace(Pictures(torch_model), {"pixel_values": image}, "pooler_output", folder / "onnx/vision_model.onnx", free=True)
    trace(Texts(torch_model), {"input_ids": text}, "pooler_output", folder / "onnx/text_model.onnx", free=True)
    assert family(folder).family == "onnx"
    graphs = converted(folder)
    prepared, seen = pixels(3, graphs.record.photos)
    wanted = unit(torch_model.get_image_features(pixel_values=seen).pooler_output)
    close(graphs("photo", pixels=prepared), wanted)
    inputs = text_inputs(graphs, TEXTS)
    wanted = unit(torch_model.get_text_features(filled(inputs, 64, padding=1)).pooler_output)
    close(graphs("text", **inputs), wanted)


def test_a_mask_of_texts_is_given(
    tiny_clip_folder: Path, model: Any, converted: Callable[..., Graphs], tmp_path: Path
) -> None:
    folder = tmp_path / "clip-ONNX"
    folder.mkdir()
    for name in ("config.json", "preprocessor_config.json", "tokenizer.json"):
        shutil.copy(tiny_clip_folder / name, folder)
    ids = torch.full((2, 77), 300)
    image = torch.zeros(2, 3, 224, 224)
    trace(Pictures(model), {"pixel_values": image}, "image_embeds", folder / "onnx/vision_model.onnx", free=True)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    trace(Texts(model), inputs, "text_embeds", folder / "onnx/text_model.onnx", free=True)
    same(converted(folder), model)


def test_rclips(model: Any, tiny_clip_folder: Path, converted: Callable[..., Graphs], tmp_path: Path) -> None:
    folder = tmp_path / "rclip-models" / "ViT-B-32-tiny"
    image, text = torch.zeros(2, 3, 224, 224), torch.full((2, 77), 300)
    trace(Pictures(model), {"input": image}, "output", folder / "visual.onnx", free=True)
    trace(Texts(model), {"input": text}, "output", folder / "textual.onnx", free=True)
    known = json.loads((tiny_clip_folder / "tokenizer.json").read_text())
    merges = folder.parent / "tokenizer" / MERGES
    merges.parent.mkdir()
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in known["model"]["merges"]]
    merges.write_bytes(gzip.compress("\n".join(["# version", *pairs]).encode()))
    graphs = converted(folder.parent)
    prepared, seen = pixels(2, graphs.record.photos)
    wanted = unit(model.get_image_features(pixel_values=seen).pooler_output)
    close(graphs("photo", pixels=prepared), wanted)
    # Clip's vocabulary in its own order: letters, letters that end a word, merges, start and end.
    order = {letter: number for number, letter in enumerate(bytes_to_letters())}
    ids = text_inputs(graphs, ["a"])["ids"][0]
    assert ids.tolist() == [len(order) * 2 + len(pairs), 256 + order["a"], len(order) * 2 + len(pairs) + 1]


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda folder: (folder / "textual/model.onnx").unlink(), r"textual/model\.onnx is missing: download"),
        (lambda folder: (folder / "visual/model.onnx").write_bytes(b"nothing"), "is not an ONNX file"),
        (
            lambda folder: (folder / "visual/preprocess_cfg.json").write_text("{}"),
            "this preprocessing is not supported",
        ),
        (lambda folder: (folder / "visual/preprocess_cfg.json").write_text("?"), "is not valid JSON"),
    ],
)
def test_what_is_missing_or_damaged_is_one_sentence(
    immich: Path, harm: Callable[[Path], object], sentence: str, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(immich, tmp_path / "harmed"))
    harm(folder)
    with pytest.raises(ConvertError, match=sentence):
        convert(folder, tmp_path / "out", name="x", about="", licence="")
    assert not list(tmp_path.glob("*out*"))
