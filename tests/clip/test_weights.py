"""Backbones from folders and files: the same numbers whatever the layout, one sentence for whatever is wrong."""

import json
import pickle
import random
import shutil
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPModel

from sketchseek.clip.weights import read_backbone
from sketchseek.errors import SketchseekError
from sketchseek.hub.files import files_in
from sketchseek.hub.find import find_backbone


@pytest.fixture
def folder(tiny_clip_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny CLIP to break."""
    return Path(shutil.copytree(tiny_clip_folder, tmp_path / "clip"))


def rewrite(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file; None removes one."""
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))


def test_a_folder_gives_the_model_it_was_saved_from(tiny_clip_folder: Path, pixels: Tensor) -> None:
    backbone = read_backbone(files_in(tiny_clip_folder))
    model: Any = CLIPModel.from_pretrained(tiny_clip_folder).eval()
    texts = backbone.tokens(["a photo of a cat", "dog"])
    with torch.inference_mode():
        torch.testing.assert_close(backbone.image(pixels), model.get_image_features(pixels).pooler_output)
        torch.testing.assert_close(
            backbone.text(texts.ids, texts.ends),
            model.get_text_features(texts.ids, attention_mask=texts.mask).pooler_output,
        )
    torch.testing.assert_close(backbone.logit_scale, model.logit_scale)
    torch.testing.assert_close(backbone.temperature, 1 / model.logit_scale.exp())
    assert not backbone.training
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert backbone.image.grid == 7 and backbone.image.side == 224
    assert (backbone.image.width, backbone.image.heads, backbone.image.depth, backbone.size) == (32, 4, 3, 16)
    assert (backbone.text.width, backbone.text.heads, backbone.text.depth, backbone.text.context) == (24, 4, 3, 77)


def test_half_precision_is_widened(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    save_file({name: tensor.half() for name, tensor in state.items()}, folder / "model.safetensors")
    backbone = read_backbone(files_in(folder))
    assert {parameter.dtype for parameter in backbone.parameters()} == {torch.float32}


def test_shards_are_read_together(folder: Path, pixels: Tensor) -> None:
    expected = read_backbone(files_in(folder)).image(pixels)
    state = load_file(folder / "model.safetensors")
    names = sorted(state)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, inside in parts.items():
        save_file({name: state[name] for name in inside}, folder / file)
    index = {"weight_map": {name: file for file, inside in parts.items() for name in inside}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model.safetensors").unlink()
    assert torch.equal(read_backbone(files_in(folder)).image(pixels), expected)

    index["weight_map"]["logit_scale"] = "../elsewhere.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(
        SketchseekError, match=r"names '\.\./elsewhere\.safetensors', which is not a safetensors file in"
    ):
        files_in(folder)


def test_an_old_config_with_all_its_leftovers_is_read(folder: Path, pixels: Tensor) -> None:
    """As OpenAI's models have them on the hub: generation settings everywhere, everything said twice, EOS wrong."""
    config = json.loads((folder / "config.json").read_text())
    for tower in ("text_config", "vision_config"):
        config[tower] |= {"bos_token_id": 0, "eos_token_id": 2, "torchscript": False, "num_beams": 1, "top_p": 1.0}
        config[f"{tower}_dict"] = dict(config[tower])
    config |= {"torch_dtype": "float32", "transformers_version": None, "initializer_factor": 1.0}
    expected = read_backbone(files_in(folder))
    (folder / "config.json").write_text(json.dumps(config))
    backbone = read_backbone(files_in(folder))
    texts = backbone.tokens(["a photo of a cat", "dog"])
    assert torch.equal(backbone.image(pixels), expected.image(pixels))
    assert torch.equal(backbone.text(texts.ids, texts.ends), expected.text(texts.ids, texts.ends))


# OpenAI's layout, built from torch's own attention as OpenAI does, so that nothing of ours helps it.


class QuickGELU(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    def __init__(self, width: int, activation: nn.Module, causal: bool) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, width // 64, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        parts = {"c_fc": nn.Linear(width, 4 * width), "act": activation, "c_proj": nn.Linear(4 * width, width)}
        self.mlp = nn.Sequential(OrderedDict(parts))
        self.causal = causal

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.full((x.shape[1], x.shape[1]), -torch.inf).triu(1) if self.causal else None
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=hidden)[0]
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out


def stack(width: int, layers: int, activation: nn.Module, causal: bool) -> nn.Module:
    blocks = nn.Sequential(*(Block(width, activation, causal) for _ in range(layers)))
    return nn.ModuleDict({"resblocks": blocks})


class OpenAI(nn.Module):
    def __init__(self, activation: nn.Module, vocabulary: int) -> None:
        super().__init__()
        self.visual: Any = nn.Module()
        self.visual.conv1 = nn.Conv2d(3, 128, 32, stride=32, bias=False)
        self.visual.class_embedding = nn.Parameter(torch.randn(128))
        self.visual.positional_embedding = nn.Parameter(torch.randn(50, 128))
        self.visual.ln_pre, self.visual.ln_post = nn.LayerNorm(128), nn.LayerNorm(128)
        self.visual.transformer = stack(128, 2, activation, causal=False)
        self.visual.proj = nn.Parameter(torch.randn(128, 24) / 11)
        self.token_embedding = nn.Embedding(vocabulary, 64)
        self.positional_embedding = nn.Parameter(torch.randn(77, 64))
        self.transformer: Any = stack(64, 3, activation, causal=True)
        self.ln_final = nn.LayerNorm(64)
        self.text_projection = nn.Parameter(torch.randn(64, 24) / 8)
        self.logit_scale = nn.Parameter(torch.tensor(4.6))
        for parameter in self.parameters():
            if parameter.ndim == 1:
                nn.init.normal_(parameter, 0.5, 0.3)

    def encode_image(self, pixels: Tensor) -> Tensor:
        patches = self.visual.conv1(pixels).flatten(2).transpose(1, 2)
        first = self.visual.class_embedding.expand(len(pixels), 1, -1)
        x = self.visual.ln_pre(torch.cat((first, patches), 1) + self.visual.positional_embedding)
        out: Tensor = self.visual.ln_post(self.visual.transformer["resblocks"](x)[:, 0]) @ self.visual.proj
        return out

    def encode_text(self, ids: Tensor) -> Tensor:
        x = self.token_embedding(ids) + self.positional_embedding[: ids.shape[1]]
        x = self.ln_final(self.transformer["resblocks"](x))
        out: Tensor = x[torch.arange(len(ids)), ids.argmax(1)] @ self.text_projection
        return out


@pytest.fixture(params=["quick_gelu", "gelu"])
def openai(request: pytest.FixtureRequest, tiny_clip_folder: Path) -> tuple[OpenAI, dict[str, Any]]:
    torch.manual_seed(0)
    vocabulary = json.loads((tiny_clip_folder / "config.json").read_text())["text_config"]["vocab_size"]
    quick = request.param == "quick_gelu"
    model = OpenAI(QuickGELU() if quick else nn.GELU(), vocabulary).eval()
    config = {
        "model_cfg": {"embed_dim": 24, "quick_gelu": quick, "vision_cfg": {"width": 128}, "text_cfg": {"heads": 1}},
        "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "resize_mode": "squash"},
    }
    return model, config


def save_openai(folder: Path, tokenizer: Path, model: OpenAI, config: dict[str, Any] | None) -> None:
    folder.mkdir()
    shutil.copy(tokenizer, folder)
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / "clip.safetensors")
    if config is not None:
        (folder / "open_clip_config.json").write_text(json.dumps(config))


def same_embeddings(backbone: Any, model: OpenAI, pixels: Tensor) -> None:
    texts = backbone.tokens(["a photo of a cat", "dog"])
    with torch.inference_mode():
        torch.testing.assert_close(backbone.image(pixels), model.encode_image(pixels), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(
            backbone.text(texts.ids, texts.ends), model.encode_text(texts.ids), rtol=1e-5, atol=1e-5
        )
    torch.testing.assert_close(backbone.logit_scale, model.logit_scale)


def test_openai_names_give_openai_embeddings(
    openai: tuple[OpenAI, dict[str, Any]], tiny_clip_folder: Path, tmp_path: Path, pixels: Tensor
) -> None:
    model, config = openai
    save_openai(tmp_path / "clip", tiny_clip_folder / "tokenizer.json", model, config)
    backbone = read_backbone(files_in(tmp_path / "clip" / "clip.safetensors"))
    same_embeddings(backbone, model, pixels)
    assert (backbone.photos.fit, backbone.photos.mean) == ("squash", (0.5, 0.5, 0.5))


def test_openai_names_without_an_activation_are_refused(
    openai: tuple[OpenAI, dict[str, Any]], tiny_clip_folder: Path, tmp_path: Path
) -> None:
    save_openai(tmp_path / "clip", tiny_clip_folder / "tokenizer.json", openai[0], None)
    with pytest.raises(SketchseekError, match="does not say whether its layers use GELU or QuickGELU"):
        read_backbone(files_in(tmp_path / "clip" / "clip.safetensors"))


def test_a_pickled_state_dict_is_read_only_when_trusted(
    openai: tuple[OpenAI, dict[str, Any]], tiny_clip_folder: Path, tmp_path: Path, pixels: Tensor
) -> None:
    model, config = openai
    save_openai(tmp_path / "clip", tiny_clip_folder / "tokenizer.json", model, config)
    path = tmp_path / "clip" / "clip.pt"
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}}, path)
    with pytest.raises(SketchseekError, match="--trust-pickle"):
        files_in(path)
    same_embeddings(read_backbone(files_in(path, trust_pickle=True)), model, pixels)


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("was-run"),))


def test_a_pickle_that_runs_code_does_not_run_it(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    path = folder / "clip.pt"
    for save in (
        lambda: torch.save({"logit_scale": Evil()}, path),
        lambda: torch.save({"logit_scale": Evil()}, path, _use_new_zipfile_serialization=False),
        lambda: path.write_bytes(pickle.dumps(Evil(), protocol=2)),
    ):
        save()
        with pytest.raises(SketchseekError, match="contains more than plain tensors, or is damaged"):
            read_backbone(files_in(path, trust_pickle=True))
    assert not (tmp_path / "was-run").exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_torchscript_archive_is_not_run(folder: Path) -> None:
    torch.jit.script(nn.Linear(2, 2)).save(folder / "ViT-B-32.pt")
    with pytest.raises(SketchseekError, match="TorchScript program, which cannot be opened without running it"):
        read_backbone(files_in(folder / "ViT-B-32.pt", trust_pickle=True))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.booleans(), st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=5))
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_pickle_is_one_sentence(folder: Path, zipped: bool, flips: list[tuple[float, int]]) -> None:
    path = folder / "clip.pt"
    torch.save({"logit_scale": torch.ones(2)}, path, _use_new_zipfile_serialization=zipped)
    data = bytearray(path.read_bytes())
    for place, value in flips:
        data[int(place * len(data))] = value
    path.write_bytes(data)
    with pytest.raises(SketchseekError) as caught:  # without damage it is not a CLIP either
        read_backbone(files_in(path, trust_pickle=True))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [{"state_dict": [1, 2]}, [torch.ones(2)], {"logit_scale": 3}])
def test_a_pickle_of_something_else_is_recognised(folder: Path, content: Any) -> None:
    torch.save(content, folder / "clip.pt")
    with pytest.raises(SketchseekError, match="does not contain a state dict"):
        read_backbone(files_in(folder / "clip.pt", trust_pickle=True))


# What can be wrong with a folder.


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def tensors(change: Callable[[dict[str, Tensor]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        state = load_file(folder / "model.safetensors")
        change(state)
        save_file(state, folder / "model.safetensors")

    return apply


def config(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: rewrite(folder / "config.json", **changes)


def vision(**changes: Any) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "config.json"
        rewrite(path, vision_config=json.loads(path.read_text())["vision_config"] | changes)

    return apply


def prepared(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: rewrite(folder / "preprocessor_config.json", **changes)


@pytest.mark.parametrize(
    ("breaks", "words"),
    [
        (without("config.json"), "config.json is missing"),
        (without("model.safetensors"), "has no weights: model.safetensors is missing"),
        (without("tokenizer.json"), "tokenizer.json is missing"),
        (shutil.rmtree, "does not exist"),
        (lambda f: (f / "config.json").write_text("{"), "config.json is not valid JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "does not hold a JSON object"),
        (lambda f: (f / "config.json").write_bytes(b"\xff\xfe\x00"), "is not valid JSON"),
        (config(model_type="siglip2"), "describes a model of type 'siglip2'; only 'clip' and 'siglip' are supported"),
        (config(model_type=None), "describes a model of type None"),
        (config(projection_dim="much"), "does not describe a CLIP"),
        (vision(num_attention_heads=5), "does not describe a CLIP"),
        (vision(num_hidden_layers=10**9), "contains 3 image and 3 text layers, but .* says 1000000000 and 3"),
        (vision(hidden_size=64), r"has shape .* but .* is required"),
        (vision(hidden_size=4 * 10**12), "does not describe a CLIP"),
        (vision(hidden_size=10**30), "does not describe a CLIP"),
        (vision(image_size=[224, 224]), "image_size is .*, but must be a positive whole number"),
        (vision(patch_size=0), "patch_size is 0, but must be a positive whole number"),
        (vision(num_channels=1), "1 colour channels"),
        (vision(hidden_act="magic"), "does not describe a CLIP"),
        (tensors(lambda s: s.pop("logit_scale")), r"lacks 1 of \d+ tensors, such as logit_scale"),
        (
            tensors(lambda s: s.update(extra=torch.ones(1))),
            "contains 1 tensors that such a backbone does not have, such as extra",
        ),
        (tensors(lambda s: s.update(logit_scale=torch.ones(2))), r"logit_scale has shape \(2,\), but \(\) is required"),
        (tensors(lambda s: [s.pop(k) for k in list(s) if "layers.2" in k]), "contains 2 image and 2 text layers"),
        (tensors(lambda s: s.update(logit_scale=torch.tensor(3))), "logit_scale contains values that are not finite"),
        (
            tensors(lambda s: s["visual_projection.weight"].fill_(torch.nan)),
            "image.projection.weight contains values",
        ),
        (lambda f: (f / "model.safetensors").write_bytes(b""), "damaged or incomplete"),
        (lambda f: (f / "model.safetensors").write_bytes(b"PK\x03\x04" * 99), "damaged or incomplete"),
        (prepared(crop_size=336), "prepares 336 pixels a side|not supported"),
        (prepared(size={"shortest_edge": 256}), "resizing to 256 before cropping to 224 is not supported"),
        (prepared(do_center_crop=False), "not made square"),
        (prepared(do_normalize=False), "not supported .do_normalize is off"),
        (prepared(rescale_factor=1 / 127.5), "not supported .rescale_factor is"),
        (prepared(rescale_factor="1"), "not supported"),
        (prepared(resample=77), "this preprocessing is not supported"),
        (prepared(image_mean=[0.5]), "this preprocessing is not supported"),
        (prepared(image_std=None), "this preprocessing is not supported"),
    ],
)
def test_a_broken_folder_is_one_sentence(folder: Path, breaks: Callable[[Path], object], words: str) -> None:
    breaks(folder)
    with pytest.raises(SketchseekError, match=words) as caught:
        read_backbone(files_in(folder))
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("tower", ["image", "text"])
@pytest.mark.parametrize("name", ["layers", "heads", "width", "mlp_width"])
@pytest.mark.parametrize("value", [0, -1, 10**6, 10**30, 1.5, "x", True, None, [1]])
def test_a_lite_config_of_absurd_sizes_is_one_sentence_at_once(
    tmp_path: Path, tower: str, name: str, value: object
) -> None:
    folder = Path(shutil.copytree(find_backbone("lite").folder, tmp_path / "lite"))
    written = json.loads((folder / "config.json").read_text())
    written[tower][name] = value
    (folder / "config.json").write_text(json.dumps(written))
    begin = time.monotonic()
    with pytest.raises(SketchseekError) as caught:
        read_backbone(files_in(folder))
    assert "\n" not in str(caught.value)
    assert time.monotonic() - begin < 20  # a million layers took minutes, and gigabytes


@pytest.mark.parametrize("change", [{"image": 3}, {"text": []}, {"image": "x"}, {"model_type": "a" * 5000}])
def test_a_lite_config_of_other_types_is_one_short_sentence(tmp_path: Path, change: dict[str, object]) -> None:
    folder = Path(shutil.copytree(find_backbone("lite").folder, tmp_path / "lite"))
    rewrite(folder / "config.json", **change)
    with pytest.raises(SketchseekError) as caught:
        read_backbone(files_in(folder))
    assert len(str(caught.value)) < 300 + len(str(folder))


def test_weights_cut_anywhere_are_one_sentence(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    for length in random.Random(0).sample(range(len(whole)), 20):
        (folder / "model.safetensors").write_bytes(whole[:length])
        with pytest.raises(SketchseekError, match="damaged or incomplete"):
            read_backbone(files_in(folder))


def test_a_sentence_about_damaged_weights_does_not_quote_the_whole_file(folder: Path) -> None:
    header = json.dumps({"a" * 5000: "b" * 5000}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(SketchseekError, match="damaged or incomplete") as caught:
        read_backbone(files_in(folder))
    assert len(str(caught.value)) < 300 + len(str(folder))


def test_a_folder_of_pickles_wants_to_be_trusted(folder: Path, pixels: Tensor) -> None:
    expected = read_backbone(files_in(folder))
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    assert files_in(folder).weights == (folder / "model.safetensors",)  # the safe one first
    (folder / "model.safetensors").unlink()
    with pytest.raises(SketchseekError, match="--trust-pickle"):
        files_in(folder)
    trusted = read_backbone(files_in(folder, trust_pickle=True))
    weights = trusted.state_dict()
    assert all(torch.equal(weight, weights.pop(name)) for name, weight in expected.state_dict().items()) and not weights
    # Not bit by bit: how products are summed may depend on where the weights lie in memory.
    torch.testing.assert_close(trusted.image(pixels), expected.image(pixels), rtol=1e-5, atol=1e-5)


def test_a_file_of_another_kind_is_no_weights(folder: Path) -> None:
    with pytest.raises(SketchseekError, match="is not a weights file"):
        files_in(folder / "config.json")


def test_the_identity_is_that_of_the_content(folder: Path, tiny_clip_folder: Path) -> None:
    before = files_in(folder).identity
    assert before == files_in(tiny_clip_folder).identity
    for name in ("model.safetensors", "config.json", "tokenizer.json", "preprocessor_config.json"):
        original = (folder / name).read_bytes()
        (folder / name).write_bytes(original + b" ")
        assert files_in(folder).identity != before
        (folder / name).write_bytes(original)
    assert files_in(folder).identity == before
