"""SigLIP's towers compute what transformers' SiglipModel does, and take prompts; half a folder is one sentence."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from sketchseek import load_model
from sketchseek.clip.adaptation import Adaptation
from sketchseek.clip.backbone import Backbone
from sketchseek.clip.weights import load_backbone
from sketchseek.errors import SketchseekError
from tests.engine.convert.conftest import siglip  # noqa: F401 - a fixture

TEXTS = ["a photo of a cat", "Dog!", ""]
Pair = tuple[Backbone, Any]


@pytest.fixture(scope="module")
def pair(siglip: tuple[Path, Any]) -> Pair:  # noqa: F811 - the fixture
    """The tiny SigLIP as a backbone of ours, and the model of transformers."""
    folder, model = siglip
    return load_backbone(folder), model


@torch.inference_mode()
def test_embeddings_are_those_of_transformers(pair: Pair, noise: Callable[..., torch.Tensor]) -> None:
    backbone, model = pair
    for batch in (1, 8):
        pixels = noise(batch, 3, 64, 64)
        theirs = model.get_image_features(pixels).pooler_output
        torch.testing.assert_close(backbone.image(pixels), theirs, rtol=0, atol=1e-5)
    texts = backbone.tokens(TEXTS)
    theirs = model.get_text_features(texts.ids).pooler_output
    torch.testing.assert_close(backbone.text(texts.ids, texts.ends), theirs, rtol=0, atol=1e-5)
    torch.testing.assert_close(backbone.temperature, 1 / model.logit_scale.exp()[0])
    assert (backbone.image.first, backbone.image.grid, backbone.image.depth, backbone.size) == (0, 4, 3, 32)
    assert (backbone.text.first, backbone.text.context, backbone.text.causal) == (0, 64, False)


@torch.inference_mode()
def test_the_tokens_of_every_layer_are_those_of_transformers(pair: Pair, noise: Callable[..., torch.Tensor]) -> None:
    backbone, model = pair
    texts, pixels = backbone.tokens(TEXTS), noise(2, 3, 64, 64)
    image, text = backbone.image, backbone.text
    for theirs, ours in (
        (model.vision_model(pixels, output_hidden_states=True), image.run(image.embed(pixels), keep=range(4))),
        (
            model.text_model(texts.ids, output_hidden_states=True),
            text.run(text.embed(texts.ids), texts.ends, keep=range(3)),
        ),
    ):
        assert len(theirs.hidden_states) == len(ours.tokens)
        # What transformers keeps last is behind the norm.
        for layer, tokens in enumerate(theirs.hidden_states[:-1]):
            torch.testing.assert_close(ours.tokens[layer], tokens, rtol=1e-5, atol=1e-5)


def test_texts_end_with_eos_and_are_filled_with_the_padding_token(pair: Pair) -> None:
    texts = pair[0].tokens(TEXTS)
    assert texts.ids.shape == (3, 64)
    assert texts.ends.tolist()[1:] == [1, 0]  # "Dog!" is the word dog: SigLIP omits punctuation
    for row, mask, end in zip(texts.ids.tolist(), texts.mask.tolist(), texts.ends.tolist(), strict=True):
        assert row[end:] == [1] * (64 - end)
        assert 1 not in row[:end]
        assert mask == [True] * (end + 1) + [False] * (63 - end)
    with pytest.raises(ValueError, match="texts must be padded to 64 tokens"):
        pair[0].text.embed(texts.ids[:, :6])


@torch.inference_mode()
def test_prompts_stand_before_all_tokens_and_are_seen_but_not_pooled(
    pair: Pair, noise: Callable[..., torch.Tensor]
) -> None:
    (backbone, model), prompts, pixels = pair, noise(2, 32), noise(3, 3, 64, 64)
    vision = model.vision_model
    tokens = torch.cat((prompts.expand(3, -1, -1), vision.embeddings(pixels)), dim=1)
    states = vision.encoder(inputs_embeds=tokens).last_hidden_state[:, 2:]
    theirs = vision.head(vision.post_layernorm(states))
    for place in ("after_first", "end"):  # which makes no difference without positions
        ours = backbone.image(pixels, Adaptation(prompts={0: prompts}, place=place))
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    assert (ours - backbone.image(pixels)).abs().max() > 1e-3

    texts, text = backbone.tokens(TEXTS), model.text_model
    tokens = torch.cat((prompts.expand(3, -1, -1), text.embeddings(texts.ids)), dim=1)
    states = text.encoder(inputs_embeds=tokens, attention_mask=None).last_hidden_state[:, -1]
    ours = backbone.text(texts.ids, texts.ends, Adaptation(prompts={0: prompts}))
    torch.testing.assert_close(ours, text.head(text.final_layer_norm(states)), rtol=0, atol=1e-5)


def _config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _without_text_tower(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    save_file({name: t for name, t in state.items() if "text" not in name}, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("breaks", "words"),
    [
        (lambda f: (f / "tokenizer_config.json").unlink(), r"tokenizer_config\.json does not say which token pads"),
        (lambda f: (f / "preprocessor_config.json").unlink(), r"preprocessor_config\.json is missing"),
        (lambda f: _config(f, model_type="clip"), "puts 0 tokens before a text, but these weights expect 1"),
        (lambda f: _config(f, text_config=[1]), "does not describe a CLIP or SigLIP"),
        (_without_text_tower, "contains 3 image and 0 text layers, but .* says 3 and 2"),
    ],
)
def test_half_a_folder_is_one_sentence(
    siglip: tuple[Path, Any],  # noqa: F811 - the fixture
    tmp_path: Path,
    breaks: Callable[[Path], object],
    words: str,
) -> None:
    folder = Path(shutil.copytree(siglip[0], tmp_path / "siglip"))
    breaks(folder)
    with pytest.raises(SketchseekError, match=words) as caught:
        load_model(folder, device="cpu")
    assert "\n" not in str(caught.value)
