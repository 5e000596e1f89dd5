"""open_clip's layout gives the graphs of transformers'; what is not a CLIP is one sentence."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from sketchseek.engine.convert import ConvertError, convert, family
from sketchseek.engine.sample_inputs import sample_pictures
from sketchseek.installation import extra_command
from tests.engine.convert.conftest import Graphs
from tests.engine.convert.test_convert import TEXTS, close, text_inputs

PARTS = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
NAMES = {
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm": "visual.ln_pre",
    "vision_model.post_layernorm": "visual.ln_post",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm": "ln_final",
    "visual_projection.weight": "visual.proj",
    "text_projection.weight": "text_projection",
    "logit_scale": "logit_scale",
}


def in_open_clips_names(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """transformers' tensors as open_clip stores them: queries, keys and values in one, projections transposed."""
    found: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if ".layers." in name:
            tower, _, rest = name.partition(".encoder.layers.")
            number, _, part = rest.partition(".")
            layer = f"{'visual.' if tower == 'vision_model' else ''}transformer.resblocks.{number}"
            owner, _, kind = part.rpartition(".")
            if owner == "self_attn.q_proj":
                three = [tensors[name.replace("q_proj", f"{letter}_proj")] for letter in "qkv"]
                found[f"{layer}.attn.in_proj_{kind}"] = torch.cat(three)
            elif owner in PARTS:
                found[f"{layer}.{PARTS[owner]}.{kind}"] = tensor
            continue
        start = next(start for start in NAMES if name.startswith(start))
        transposed = start in ("visual_projection.weight", "text_projection.weight")
        found[NAMES[start] + name.removeprefix(start)] = tensor.T.contiguous() if transposed else tensor
    return found


MODEL = {
    "embed_dim": 16,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 224, "layers": 3, "width": 32, "head_width": 8, "patch_size": 32},
    "text_cfg": {"context_length": 77, "width": 24, "heads": 4, "layers": 3},
}
PREPROCESS = {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}


@pytest.fixture
def open_clip(tiny_clip_folder: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "open_clip"
    folder.mkdir()
    save_file(
        in_open_clips_names(load_file(tiny_clip_folder / "model.safetensors")), folder / "open_clip_model.safetensors"
    )
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": MODEL, "preprocess_cfg": PREPROCESS}))
    shutil.copy(tiny_clip_folder / "tokenizer.json", folder)
    return folder


def vectors(graphs: Graphs) -> tuple[NDArray[Any], NDArray[Any]]:
    return graphs("photo", pixels=sample_pictures(3, 224)), graphs("text", **text_inputs(graphs, TEXTS))


def test_open_clips_layout_gives_the_same_model(
    open_clip: Path, tiny_clip_folder: Path, converted: Callable[..., Graphs]
) -> None:
    theirs, ours = converted(open_clip), converted(tiny_clip_folder)
    for found, wanted in zip(vectors(theirs), vectors(ours), strict=True):
        close(found, wanted)
    assert theirs.record.photos == ours.record.photos


def test_gelu_and_quick_gelu_are_told_apart(
    open_clip: Path, tiny_clip_folder: Path, converted: Callable[..., Graphs]
) -> None:
    from transformers import CLIPModel

    edit(open_clip / "open_clip_config.json", lambda written: written["model_cfg"].pop("quick_gelu"))
    model = CLIPModel.from_pretrained(tiny_clip_folder, attn_implementation="eager")
    for tower in (model.vision_model, model.text_model):
        for layer in tower.encoder.layers:
            layer.mlp.activation_fn = torch.nn.GELU()
    graphs = converted(open_clip)
    inputs = text_inputs(graphs, TEXTS)
    features = model.eval().get_text_features(torch.from_numpy(inputs["ids"])).pooler_output
    close(graphs("text", **inputs), torch.nn.functional.normalize(features).detach().numpy())


def edit(path: Path, change: Callable[[Any], object]) -> None:
    written = json.loads(path.read_text())
    change(written)
    path.write_text(json.dumps(written))


def test_a_custom_text_tower_has_a_prefix(open_clip: Path, tiny_clip_folder: Path) -> None:
    path = open_clip / "open_clip_model.safetensors"
    text = ("transformer.", "token_embedding", "positional_embedding", "ln_final", "text_projection")
    save_file(
        {f"text.{name}" if name.startswith(text) else name: value for name, value in load_file(path).items()}, path
    )
    assert family(open_clip).family == "clip"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c["model_cfg"]["vision_cfg"].update(timm_model_name="vit"), "has a tower of another kind"),
        (lambda c: c["model_cfg"]["text_cfg"].update(hf_model_name="roberta"), "has a tower of another kind"),
        (lambda c: c["model_cfg"]["vision_cfg"].update(no_ln_pre=True), "no_ln_pre is True, which cannot be converted"),
        (lambda c: c["model_cfg"]["text_cfg"].update(heads=7), "a width of 24 cannot be divided among 7 heads"),
        (lambda c: c["model_cfg"]["text_cfg"].update(heads="many"), "does not describe a CLIP or SigLIP"),
        (lambda c: c["model_cfg"].pop("vision_cfg"), "lacks|does not describe"),
        (lambda c: c.pop("model_cfg"), "does not say whether its layers use GELU or QuickGELU"),
        (lambda c: c["preprocess_cfg"].pop("mean"), "this preprocessing is not supported"),
    ],
)
def test_a_wrong_config_of_open_clip_is_one_sentence(
    open_clip: Path, change: Callable[[Any], object], sentence: str
) -> None:
    edit(open_clip / "open_clip_config.json", change)
    with pytest.raises(ConvertError, match=sentence):
        family(open_clip)


@pytest.fixture
def clip(tiny_clip_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_clip_folder, tmp_path / "clip"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c.update(model_type="bert"), r"describes a model of type 'bert'; clip, siglip and siglip2 can be"),
        (lambda c: c["vision_config"].update(hidden_act="swish"), "the activation 'swish' is not one of gelu"),
        (lambda c: c["vision_config"].update(num_attention_heads=5), "a width of 32 cannot be divided among 5 heads"),
        (lambda c: c["vision_config"].update(num_attention_heads=0), "does not describe a CLIP or SigLIP"),
        (lambda c: c["vision_config"].update(num_hidden_layers=4), "says num_hidden_layers 4, but the weights have 3"),
        (lambda c: c["vision_config"].update(image_size=336), "image_size is 336, but the weights are for 224 pixels"),
        (lambda c: c.update(vision_config=3), "does not describe a CLIP or SigLIP"),
    ],
)
def test_a_wrong_config_is_one_sentence(clip: Path, change: Callable[[Any], object], sentence: str) -> None:
    edit(clip / "config.json", change)
    with pytest.raises(ConvertError, match=sentence):
        family(clip)


def cut(tensors: dict[str, Any], name: str, rows: int) -> None:
    tensors[name] = tensors[name][:rows].clone()


def spoil(tensors: dict[str, Any]) -> None:
    tensors["text_model.encoder.layers.1.mlp.fc1.weight"][3, 4] = np.nan


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda t: t.pop("text_model.encoder.layers.2.mlp.fc2.bias"),
            r"lacks 1 of 110 tensors, such as text\.layers\.2\.",
        ),
        (lambda t: t.pop("vision_model.embeddings.patch_embedding.weight"), r"lacks the tensor image\.patch\.weight"),
        (lambda t: t.update(decoder=torch.zeros(2)), "contains 1 tensors that no CLIP has, such as decoder"),
        (lambda t: cut(t, "text_projection.weight", 9), r"shape \(16, 32\), but \(9, 32\) is required"),
        (lambda t: cut(t, "vision_model.encoder.layers.1.self_attn.k_proj.weight", 8), r"\(8, 32\), but \(32, 32\) is"),
        (spoil, r"text_model\.encoder\.layers\.1\.mlp\.fc1\.weight contains values that are not finite"),
    ],
)
def test_wrong_tensors_are_one_sentence_and_nothing_is_written(
    clip: Path, change: Callable[[Any], object], sentence: str, tmp_path: Path
) -> None:
    tensors = load_file(clip / "model.safetensors")
    change(tensors)
    save_file(tensors, clip / "model.safetensors")
    with pytest.raises(ConvertError, match=sentence):
        convert(clip, tmp_path / "out" / "model", name="x", about="", licence="")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_damaged_files_are_one_sentence(clip: Path, tmp_path: Path) -> None:
    whole = (clip / "model.safetensors").read_bytes()
    (clip / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConvertError, match="is damaged or incomplete: download it again"):
        family(clip)
    (clip / "model.safetensors").write_bytes(whole)
    (tmp_path / "out").mkdir()
    with pytest.raises(ConvertError, match="already exists: name a new folder"):
        convert(clip, tmp_path / "out", name="x", about="", licence="")
    (clip / "tokenizer.json").write_text("{}")
    with pytest.raises(Exception, match="is not a readable tokenizer"):
        family(clip)
    (clip / "config.json").unlink()
    with pytest.raises(ConvertError, match=r"config\.json is missing"):
        family(clip)


def test_without_the_package_of_the_extra_it_says_what_to_install(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "sketchseek.engine.convert.graph", raising=False)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConvertError, match=rf"needs the package onnx; run: {re.escape(extra_command('clip'))}"):
        convert(clip, tmp_path / "out", name="x", about="", licence="")
    assert not (tmp_path / "out").exists()


def test_a_siglip_whose_padding_is_not_stated_is_refused(siglip: tuple[Path, Any], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(siglip[0], tmp_path / "siglip"))
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(ConvertError, match="which token pads a text"):
        family(folder)
