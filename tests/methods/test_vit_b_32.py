"""Shapes and parameter counts at the papers' size: CLIP ViT-B/32 with random weights."""

from copy import copy

import pytest
import torch
from transformers import CLIPConfig

from sketchseek.clip.backbone import Backbone, build_clip
from sketchseek.methods.method import Clock
from sketchseek.methods.registry import METHODS, method_class
from tests.methods.toys import CLASSES, triplets

#: LayerNorms of the image tower: pre, post and two a layer; of the text tower: two a layer and the last
IMAGE_NORMS = 26 * 2 * 768
TEXT_NORMS = 25 * 2 * 512
ATTENTION = 4 * (768 * 768 + 768)
MLP = 2 * 4 * 768 * 768 + 4 * 768 + 768
BLOCKS = {
    "patches_to_words": (49 * 4 + 4) + (768 * 512 + 512) + (512 * 512 + 512),
    "words_to_image": 512 * 768 + 768,
    "states_to_image": (512 * 768 + 768) + (768 * 1536 + 1536),
    "solver": 2 * (4 * (512 * 512 + 512) + 2 * 512 * 2048 + 2048 + 512 + 4 * 512) + 512 * 100 + 100,
}
BRANCH = 16 * 6 * 768
WINDOWS = {"local": 4 * 768 + 4 * (2 * 768 + 768 * 512) + BRANCH}
PROMPT_MODULES = {"base_prompts": 12 * 3 * 768 + 768 * 768 + 768}
EXPECTED = {
    ("clip-at", "category"): {"prompts": 2 * 3 * 768, "norms": 2 * IMAGE_NORMS},
    ("clip-at", "fine-grained"): {"prompts": 3 * 768, "norms": IMAGE_NORMS},
    ("splip", "category"): {**BLOCKS, "image_norms": IMAGE_NORMS, "text_norms": TEXT_NORMS},
    ("dp-clip", "category"): {
        **PROMPT_MODULES, **WINDOWS, "branches": 12 * BRANCH, "norms": IMAGE_NORMS,
    },
    ("dp-clip", "fine-grained"): {
        **PROMPT_MODULES, **WINDOWS, "branches": 12 * BRANCH, "norms": IMAGE_NORMS,
        "support_reader": ATTENTION + MLP + 4 * 768,
        "scales": 12 * ((512 * 512 + 512) + (512 * 32 + 32)),
    },
    ("zero-shot", "category"): {},
    ("linear-probe", "category"): {"probe": 512 * 512 + 512},
    ("full-fine-tune", "category"): {
        "backbone": (1 + 50 + 3 * 32 * 32) * 768 + 12 * (ATTENTION + MLP) + IMAGE_NORMS + 768 * 512,
    },
    ("shallow-prompts", "category"): {"prompts": 3 * 768},
    ("modality-prompts", "category"): {"sketch_prompts": 3 * 768, "photo_prompts": 3 * 768},
    ("independent-prompts", "category"): {"prompts": 3 * 768, "text_prompts": 3 * 512},
    ("deep-prompts", "category"): {"prompts": 12 * 3 * 768},
    ("conditional-prompts", "category"): {"prompts": 3 * 768, "shift": 768 * 48 + 48 + 48 * 768 + 768},
}  # fmt: skip


@pytest.fixture(scope="module")
def large(_tiny):
    """One random ViT-B/32 for all tests here; it reads with the tiny CLIP's tokens."""
    torch.manual_seed(0)
    backbone = copy(_tiny)
    backbone._modules = dict(_tiny._modules)
    backbone.image, backbone.text = build_clip(CLIPConfig())
    backbone.size = 512
    assert isinstance(backbone, Backbone)
    return backbone.requires_grad_(False)


def make(large, name, setting):
    torch.manual_seed(0)
    kind = method_class(name)
    return kind(large, CLASSES, setting, kind.options_type())


@pytest.mark.parametrize(("name", "setting"), EXPECTED)
def test_parameter_counts_by_name(large, name, setting):
    method = make(large, name, setting)
    counts: dict[str, int] = {}
    for full, parameter in method.named_parameters():
        if parameter.requires_grad:
            part = full.partition(".")[0]
            counts[part] = counts.get(part, 0) + parameter.numel()
    assert counts == EXPECTED[name, setting]
    saved = {full for full in method.adapter() if full not in ("mean_words", "steps_seen")}
    assert sum(method.adapter()[full].numel() for full in saved) == sum(counts.values())


def test_every_method_is_counted():
    assert {name for name, _ in EXPECTED} == set(METHODS)


@pytest.mark.parametrize(("name", "width"), [("clip-at", 512), ("splip", 512), ("dp-clip", 5 * 512)])
@pytest.mark.parametrize("setting", ["category", "fine-grained"])
def test_shapes(large, name, width, setting):
    method = make(large, name, setting).eval()
    assert method.size == width
    with torch.inference_mode():
        encode = method.encode
        if method.support() is not None:
            encode = method.for_category("dog", torch.randn(1, 3, 224, 224), torch.randn(2, 3, 224, 224))
        for modality in ("sketch", "photo"):
            embeddings = encode(torch.randn(2, 3, 224, 224), modality)
            assert embeddings.shape == (2, width)
            assert torch.isfinite(embeddings).all()


def test_shapes_inside(large):
    splip, dp_clip = make(large, "splip", "category"), make(large, "dp-clip", "fine-grained")
    with torch.no_grad():
        tokens = large.image.embed(torch.randn(3, 3, 224, 224))
        assert tokens.shape == (3, 50, 768)
        assert splip.words_of(tokens).shape == (3, 4, 512)
        texts, states = splip.read_classes(splip.mean_words[0], "sketch")
        assert texts.shape == (4, 512)
        prompts = splip.image_prompts(states, "sketch")
        assert [prompts[layer].shape for layer in range(12)] == [(6, 768)] * 12
        conditions = dp_clip.conditions("dog", tokens)
        assert [conditions.prompts[layer].shape for layer in range(12)] == [(3, 768)] * 12
        assert [part.shape for part in dp_clip.features(tokens, conditions)] == [(3, 512)] * 5


def test_a_step_of_clip_at_at_full_size(large):
    method = make(large, "clip-at", "category")
    losses = method.losses(triplets([(0, 0), (1, 0)], [(2, 0), (3, 0)]), Clock(0, 0, 1))
    sum(losses.values()).backward()
    for owner in ("sketch", "photo"):
        assert method.prompts[owner].tokens.grad.abs().sum() > 0
    assert all(p.grad is None for p in large.parameters())
