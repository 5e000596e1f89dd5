"""What each baseline adds to CLIP, and that it is written as its one sentence says."""

import pytest
import torch
from torch.nn import functional

from sketchseek.losses.classification import classification_loss
from sketchseek.losses.triplet import triplet_loss
from sketchseek.methods.method import Clock
from tests.methods.oracle import linear, slow_tower

START = Clock(0, 0, 1)


def slow(method, tokens, prompts):
    """K prompts behind the patches, before ln_pre."""
    return slow_tower(method.backbone.image, tokens, prompts, at_end=True, before_pre_norm=True)[0]


@pytest.mark.parametrize(
    "name",
    ["shallow-prompts", "modality-prompts", "independent-prompts", "deep-prompts", "conditional-prompts"],
)
@pytest.mark.parametrize("modality", ["sketch", "photo"])
def test_prompted_pictures_are_their_definition(build_micro, micro_batch, name, modality):
    method, pixels = build_micro(name), micro_batch([0, 1]).sketches
    fast = method.encode(pixels, modality)
    for row, tokens in zip(fast, method.backbone.image.stem(pixels), strict=True):
        if name == "modality-prompts":
            prompts = [getattr(method, f"{modality}_prompts").tokens[0], None]
        elif name == "deep-prompts":
            prompts = list(method.prompts.tokens)
        elif name == "conditional-prompts":
            mean = sum(tokens[1:]) / (len(tokens) - 1)
            shift = linear(linear(mean[None], method.shift[0]).clamp(min=0), method.shift[2])[0]
            prompts = [torch.stack([token + shift for token in method.prompts.tokens[0]]), None]
        else:
            prompts = [method.prompts.tokens[0], None]
        torch.testing.assert_close(row, slow(method, tokens, prompts))


def test_independent_prompts_stand_among_the_words_too(build_micro):
    method = build_micro("independent-prompts")
    text, words = method.backbone.text, method.backbone.tokens(["a photo of a dog"])
    expected, _ = slow_tower(
        text, text.embed(words.ids)[0], [method.text_prompts.tokens[0], None], causal=True, end=int(words.ends[0])
    )
    torch.testing.assert_close(method.class_texts()[1], expected)
    torch.testing.assert_close(method.encode_texts(["a photo of a dog"])[0], expected)


@pytest.mark.parametrize("name", ["zero-shot", "linear-probe", "full-fine-tune"])
def test_fresh_baselines_without_prompts_are_clip(build, category_batch, name):
    method = build(name)
    expected = method.backbone.image(category_batch.sketches)
    for modality in ("sketch", "photo"):
        torch.testing.assert_close(method.encode(category_batch.sketches, modality), expected)


def test_a_fresh_conditional_prompt_is_a_shallow_one(build, category_batch):
    pixels = category_batch.sketches
    conditional, shallow = build("conditional-prompts"), build("shallow-prompts")
    assert torch.equal(conditional.prompts.tokens, shallow.prompts.tokens)
    torch.testing.assert_close(conditional.encode(pixels, "sketch"), shallow.encode(pixels, "sketch"))


def test_the_linear_probe_is_one_linear_layer(build_micro, micro_batch):
    method, pixels = build_micro("linear-probe"), micro_batch([0, 1]).sketches
    expected = functional.linear(method.backbone.image(pixels), method.probe.weight, method.probe.bias)
    torch.testing.assert_close(method.encode(pixels, "photo"), expected)


@pytest.mark.parametrize("setting", ["category", "fine-grained"])
@pytest.mark.parametrize("name", ["zero-shot", "modality-prompts", "independent-prompts"])
def test_losses_are_the_triplets_and_the_classes(build, category_batch, fine_batch, name, setting):
    method = build(name, setting, margin=0.7, class_weight=2.0, tau=0.5)
    batch = category_batch if setting == "category" else fine_batch
    s = method.encode(batch.sketches, "sketch")
    p, n = method.encode(batch.positives, "photo"), method.encode(batch.negatives, "photo")
    losses = method.losses(batch, START)
    assert list(losses) == ["triplet", "class"]
    torch.testing.assert_close(losses["triplet"], triplet_loss(s, p, n, 0.7))
    both = sum(classification_loss(x, method.class_texts(), batch.labels, 0.5) for x in (s, p))
    torch.testing.assert_close(losses["class"], 2.0 * both)
    assert list(build(name, setting, class_weight=0.0).losses(batch, START)) == ["triplet"]
