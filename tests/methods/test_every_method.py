"""What holds for every method in every setting."""

import math
from dataclasses import asdict
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from sketchseek import SketchseekError
from sketchseek.methods.method import Clock
from sketchseek.methods.registry import METHODS, method_class
from sketchseek.training.presets import recipe_from_preset
from tests.methods.toys import CLASSES, draw

START = Clock(epoch=0, step=0, steps=100)
#: a method, a setting, options
EVERY: list[tuple[str, str, dict[str, Any]]] = [
    (name, setting, {}) for name in METHODS for setting in ("category", "fine-grained")
] + [
    ("clip-at", "fine-grained", {"train_norms": False, "delta_weight": 0.0, "shuffle_weight": 0.0}),
    ("clip-at", "category", {"encoders": "shared-norms", "class_weight": 0.0, "forgotten": True}),
    ("splip", "category", {"text_cost": "per-image", "block_per_layer": True}),
    ("splip", "fine-grained", {"train_norms": False, "beta": 0.0}),
    ("splip", "category", {"text_cost": "per-image", "patches_to_words": False, "words_to_image": False}),
    ("splip", "category", {"states_to_image": False, "margin": 0.2}),
    ("dp-clip", "category", {"unknown_text": "mean", "attention_factor": 0.0625}),
    ("dp-clip", "category", {"unknown_text": "predicted"}),
    ("dp-clip", "fine-grained", {"texts": "single", "forgotten": True, "support_sketches": 0}),
    ("dp-clip", "fine-grained", {"prompts": 0, "window": 0, "text_scales": False}),
    ("dp-clip", "fine-grained", {"rank": 0}),
]
TRAINED = [case for case in EVERY if case[0] != "zero-shot"]
every = pytest.mark.parametrize(("name", "setting", "options"), EVERY)
trained = pytest.mark.parametrize(("name", "setting", "options"), TRAINED)


def encoder_of(method):
    """``encode``, with pictures of the batches' category where the method needs one."""
    if method.support() is None:
        return method.encode
    sketches, photos = (
        torch.stack([draw(1, 50 + i, modality) for i in range(count)]) if count else torch.zeros(0, 3, 224, 224)
        for modality, count in zip(("sketch", "photo"), method.support(), strict=True)
    )
    return method.for_category(CLASSES[1], sketches, photos)


def embeddings(method, batch):
    """Sketches and photos as search sees them."""
    with torch.inference_mode():
        encode = encoder_of(method.eval())
        return encode(batch.sketches, "sketch").clone(), encode(batch.positives, "photo").clone()


def train(method, batch, steps, rate):
    """Losses of every step of Adam at one rate."""
    method.train()
    optimiser = torch.optim.Adam([p for group in method.groups() for p in group.parameters], lr=rate)
    course = []
    for step in range(steps):
        loss = sum(method.losses(batch, Clock(0, step, steps)).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        course.append(loss.item())
    return course


@every
def test_what_is_trained_is_what_groups_name_and_all_of_it_learns(build, batch_for, name, setting, options):
    method = build(name, setting, **options)
    named = [p for group in method.groups() for p in group.parameters]
    assert len({id(p) for p in named}) == len(named)
    assert {id(p) for p in method.parameters() if p.requires_grad} == {id(p) for p in named}
    total = sum(method.losses(batch_for(method), START).values())
    assert total.shape == ()
    assert torch.isfinite(total)
    if named:
        total.backward()
        assert not [n for n, p in method.named_parameters() if p.requires_grad and p.grad is None]


@every
def test_an_embedding_never_depends_on_the_other_pictures(build, batch_for, name, setting, options):
    method, batch = build(name, setting, **options), batch_for(build(name, setting, **options))
    if name != "zero-shot":
        train(method, batch, 1, 1e-3)
    before = {key: value.clone() for key, value in method.state_dict().items()}
    with torch.inference_mode():
        encode = encoder_of(method.eval())
        for pixels, modality in ((batch.sketches, "sketch"), (batch.positives, "photo")):
            together = encode(pixels, modality)
            assert together.shape == (len(pixels), method.size)
            alone = torch.cat([encode(one, modality) for one in pixels.split(1)])
            backwards = encode(pixels.flip(0), modality).flip(0)
            strangers = encode(torch.cat((torch.randn(9, 3, 224, 224), pixels)), modality)[9:]
            for other in (alone, backwards, strangers):
                torch.testing.assert_close(other, together, rtol=1e-4, atol=1e-5)
    for key, value in method.state_dict().items():
        assert torch.equal(value, before[key]), f"encoding changed {key}"


@every
def test_texts_live_in_the_same_space(build, name, setting, options):
    method = build(name, setting, **options).eval()
    with torch.inference_mode():
        words = method.encode_texts(["a photo of a cat", "dog", ""])
        alone = method.encode_texts(["dog"])
    assert words.shape == (3, method.size)
    torch.testing.assert_close(words[1:2], alone, rtol=1e-4, atol=1e-5)


@trained
def test_an_adapter_put_on_a_fresh_method_gives_the_same_embeddings(build, batch_for, name, setting, options):
    method = build(name, setting, **options)
    batch = batch_for(method)
    started = embeddings(method, batch)
    train(method, batch, 2, 1e-2)
    expected = embeddings(method, batch)
    # The tiny CLIP is read again inside ``build``: nothing but the file of tensors passes from one to the other.
    stored = save({name: tensor.contiguous() for name, tensor in method.adapter().items()})
    frozen = {name: p.clone() for name, p in method.named_parameters() if not p.requires_grad}
    fresh = build(name, setting, seed=1, fresh=True, **options)
    assert not torch.equal(embeddings(fresh, batch)[0], expected[0])
    fresh.load_adapter(load(stored))
    for one, other in zip(embeddings(fresh, batch), expected, strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(started[0], expected[0])
    for key, parameter in fresh.named_parameters():
        if key in frozen:
            assert torch.equal(parameter, frozen[key]), f"training changed {key}"


@every
def test_the_same_seed_gives_the_same_losses(build, batch_for, name, setting, options):
    runs = []
    for _ in range(2):
        method = build(name, setting, fresh=True, **options)
        losses = method.losses(batch_for(method), START)
        runs.append({key: value.item() for key, value in losses.items()})
    assert runs[0] == runs[1]


@pytest.mark.parametrize(("name", "setting"), sorted({(name, setting) for name, setting, _ in TRAINED}))
def test_tau_of_the_classification_loss_is_a_key_of_every_recipe(build, batch_for, name, setting):
    """Where it is very large, all classes are equally likely: the loss is ln 4, weighted 1 in sum by default."""
    if (name, setting) == ("dp-clip", "fine-grained"):
        return  # has no classification loss
    for tau, expected in (("0.05", None), ("1e9", math.log(len(CLASSES)))):
        recipe = recipe_from_preset(name, "default", setting, "custom", {"data": "x", "tau": tau}, "--set")
        assert recipe.options.tau == float(tau)
        method = build(name, setting, fresh=True, **asdict(recipe.options))
        loss = method.losses(batch_for(method), START)["class"].item()
        assert loss > 0 if expected is None else loss == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_an_unknown_setting_is_refused(build, name):
    assert method_class(name).name == name
    with pytest.raises(SketchseekError, match="choose category or fine-grained"):
        build(name, "coarse")


def test_an_unknown_method_is_refused_with_the_nearest_names():
    with pytest.raises(SketchseekError, match="clip-at"):
        method_class("clipat")


def test_names_validated_first_serve_training_later(build, pure_batch, category_batch):
    # What is computed once in a validation, without gradients at all, must not stop a later training step.
    for name, setting, options, batch in (
        ("dp-clip", "fine-grained", {}, pure_batch),
        ("dp-clip", "category", {"unknown_text": "mean"}, category_batch),
        ("splip", "category", {}, category_batch),
    ):
        method = build(name, setting, **options)
        embeddings(method, batch)
        with torch.inference_mode():
            method.losses(batch, START)
        assert len(train(method, batch, 1, 1e-3)) == 1


def gradients(method, batch):
    torch.manual_seed(7)
    for parameter in method.parameters():
        parameter.grad = None
    sum(method.losses(batch, START).values()).backward()
    return {name: p.grad for name, p in method.named_parameters() if p.requires_grad}


@trained
def test_recomputed_activations_give_the_same_gradients(build, batch_for, name, setting, options):
    method = build(name, setting, **options)
    method.eval()  # no dropout, no moving average: both runs see the same method
    kept = gradients(method, batch_for(method))
    method.backbone.image.checkpointing = method.backbone.text.checkpointing = True
    torch.testing.assert_close(gradients(method, batch_for(method)), kept)


@trained
def test_half_precision_trains_too(build, batch_for, name, setting, options):
    method = build(name, setting, **options)
    full = sum(method.losses(batch_for(method), START).values())
    method = build(name, setting, **options)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = sum(method.losses(batch_for(method), START).values())
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, full, rtol=0.1, atol=0.05)
    half.backward()
    assert all(torch.isfinite(p.grad).all() for p in method.parameters() if p.requires_grad)
