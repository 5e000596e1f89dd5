"""With the same weights and nothing attached, our forward is transformers' CLIPModel."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

SHAPES: dict[str, dict[str, Any]] = {
    "ViT-B/32": {},
    "patch 16": {
        "vision_config": {"patch_size": 16, "hidden_size": 192, "intermediate_size": 768, "num_attention_heads": 3},
        "text_config": {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2},
    },
    "tiny, gelu": {
        "vision_config": {
            "image_size": 96,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-3,
        },
        "text_config": {
            "hidden_size": 24,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-3,
        },
        "projection_dim": 16,
    },
}
SOS, EOS = 49406, 49407


@pytest.fixture(scope="module", params=SHAPES)
def pair(request: pytest.FixtureRequest, make_pair: Callable[..., Any]) -> Iterator[Any]:
    """transformers' model, our image tower, our text tower; one pair in memory at a time."""
    yield make_pair(**SHAPES[request.param])


@pytest.mark.parametrize("batch", [1, 8])
@torch.inference_mode()
def test_image_embeddings_are_those_of_transformers(pair: Any, batch: int) -> None:
    model, image, _ = pair
    pixels = torch.randn(batch, 3, image.side, image.side, generator=torch.Generator().manual_seed(batch))
    theirs = model.get_image_features(pixels).pooler_output
    torch.testing.assert_close(image(pixels), theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 8])
@torch.inference_mode()
def test_text_embeddings_are_those_of_transformers(pair: Any, batch: int) -> None:
    model, _, text = pair
    generator = torch.Generator().manual_seed(batch)
    lengths = torch.randint(0, 76, (batch,), generator=generator).clamp(max=75)
    ids = torch.full((batch, 77), EOS)
    for row, length in zip(ids, lengths.tolist(), strict=True):
        row[0] = SOS
        row[1 : 1 + length] = torch.randint(0, SOS, (length,), generator=generator)
    ends = 1 + lengths
    theirs = model.get_text_features(ids, attention_mask=torch.arange(77) <= ends[:, None]).pooler_output
    torch.testing.assert_close(text(ids, ends), theirs, rtol=0, atol=1e-5)
    # Cropped to the longest text nothing changes: behind EOS there is nothing to see.
    torch.testing.assert_close(text(ids[:, : int(ends.max()) + 1], ends), theirs, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_the_tokens_of_every_layer_are_those_of_transformers(pair: Any) -> None:
    model, image, text = pair
    pixels = torch.randn(2, 3, image.side, image.side, generator=torch.Generator().manual_seed(3))
    theirs = model.vision_model(pixels, output_hidden_states=True).hidden_states
    ours = image.run(image.embed(pixels), keep=range(image.depth + 1)).tokens
    assert len(theirs) == len(ours)
    for layer, tokens in ours.items():
        torch.testing.assert_close(tokens, theirs[layer], rtol=1e-5, atol=1e-5)

    ids = torch.tensor([[SOS, 5, 6, EOS], [SOS, 7, EOS, EOS]])
    theirs = model.text_model(ids, output_hidden_states=True).hidden_states
    ours = text.run(text.embed(ids), torch.tensor([3, 2]), keep=range(text.depth + 1)).tokens
    for layer, tokens in ours.items():
        torch.testing.assert_close(tokens, theirs[layer], rtol=1e-5, atol=1e-5)
