import itertools

import pytest
import torch

from sketchseek.methods.method import BatchPlan, Clock
from sketchseek.methods.tiles import draw_two_orders, shuffle_tiles
from tests.methods.oracle import assert_same_gradients, cos, slow_tower

START = Clock(0, 0, 1)


def slow_encode(method, pixels, prompts, norms):
    """v stands behind the patches before ln_pre and goes through all layers; read from CLS."""
    image = method.backbone.image
    rest = [None] * (image.depth - 1)
    rows = [
        slow_tower(
            image, image.stem(one[None])[0], [prompts.tokens[0], *rest], norms, at_end=True, before_pre_norm=True
        )
        for one in pixels
    ]
    return torch.stack([embedding for embedding, _ in rows])


def slow_triplet(s, p, n, margin):
    hinges = [torch.relu(margin + (1 - cos(s[i], p[i])) - (1 - cos(s[i], n[i]))) for i in range(len(s))]
    return sum(hinges) / len(s)


def slow_class(features, texts, labels, tau):
    total = 0
    for feature, label in zip(features, labels, strict=True):
        logits = [cos(feature, text) / tau for text in texts]
        total = total - logits[label] + torch.logsumexp(torch.stack(logits), 0)
    return total / len(features)


def test_category_model_is_its_equations(build_micro, micro_batch):
    method, batch = build_micro("clip-at"), micro_batch([0, 2, 3])
    s = slow_encode(method, batch.sketches, method.prompts["sketch"], method.norms["sketch"])
    p, n = (
        slow_encode(method, x, method.prompts["photo"], method.norms["photo"])
        for x in (batch.positives, batch.negatives)
    )
    torch.testing.assert_close(method.encode(batch.sketches, "sketch"), s)
    torch.testing.assert_close(method.encode(batch.positives, "photo"), p)
    words = method.backbone.class_tokens(method.classes, "a photo of a {}")
    texts = method.backbone.text(words.ids, words.ends)
    slow = slow_triplet(s, p, n, 0.3) + 0.5 * sum(slow_class(x, texts, batch.labels, 0.01) for x in (s, p))
    fast = sum(method.losses(batch, START).values())
    assert_same_gradients(fast, slow, [q for q in method.parameters() if q.requires_grad])


@pytest.mark.parametrize(("ordered", "tau"), [(True, 0.1), (False, 1.0)])
def test_fine_grained_model_is_its_equations(build_micro, micro_batch, ordered, tau):
    method = build_micro("clip-at", "fine-grained", delta_sorted=ordered, delta_tau=tau, margin=1.0, shuffle_margin=1.0)
    batch = micro_batch([0, 0, 2, 2], same_class=True)  # two triplets of each of two classes
    torch.manual_seed(3)
    gamma1, gamma2 = draw_two_orders(4, 2, torch.default_generator)
    s, p, n, s1, p1, p2 = (
        slow_encode(method, pixels, method.prompts["both"], method.norms["both"])
        for pixels in (
            batch.sketches,
            batch.positives,
            batch.negatives,
            shuffle_tiles(batch.sketches, gamma1),
            shuffle_tiles(batch.positives, gamma1),
            shuffle_tiles(batch.positives, gamma2),
        )
    )
    words = method.backbone.class_tokens(method.classes, "a photo of a {}")
    texts = method.backbone.text(words.ids, words.ends)

    deltas = [(1 - cos(s[i], p[i])) - (1 - cos(s[i], n[i])) for i in range(4)]
    rows = [deltas[:2], deltas[2:]]
    if ordered:
        rows = [sorted(row, key=torch.Tensor.item) for row in rows]
    spreads = [torch.softmax(torch.stack(row) / tau, 0) for row in rows]
    l_delta = sum((a * torch.log(a / b)).sum() for a, b in itertools.permutations(spreads, 2)) / 2
    slow = (
        slow_triplet(s, p, n, 1.0)
        + 0.5 * sum(slow_class(x, texts, batch.labels, 0.01) for x in (s, p))
        + 0.1 * l_delta
        + 1.0 * slow_triplet(s1, p1, p2, 1.0)
    )
    torch.manual_seed(3)
    fast = sum(method.losses(batch, START).values())
    assert_same_gradients(fast, slow, [q for q in method.parameters() if q.requires_grad])


def test_each_modality_has_its_own_set_at_category_level(build, category_batch):
    method, pixels = build("clip-at"), category_batch.sketches[:2]
    assert set(method.norms) == set(method.prompts) == {"sketch", "photo"}
    assert not torch.equal(method.encode(pixels, "sketch"), method.encode(pixels, "photo"))
    shared = build("clip-at", encoders="shared-norms")
    assert set(shared.norms) == {"both"}
    assert set(shared.prompts) == {"sketch", "photo"}
    for one in (build("clip-at", encoders="one"), build("clip-at", "fine-grained")):
        assert set(one.norms) == set(one.prompts) == {"both"}
        assert torch.equal(one.encode(pixels, "sketch"), one.encode(pixels, "photo"))


def test_no_prompts_and_untouched_norms_are_clip(build, category_batch):
    method = build("clip-at", prompts=0)
    for modality in ("sketch", "photo"):
        expected = method.backbone.image(category_batch.sketches)
        torch.testing.assert_close(method.encode(category_batch.sketches, modality), expected)


def test_losses_carry_their_weights(build, fine_batch):
    weights = {"class_weight": 2.0, "delta_weight": 3.0, "shuffle_weight": 5.0}
    plain = {"class_weight": 1.0, "delta_weight": 1.0, "shuffle_weight": 1.0}
    results = []
    for options in (weights, plain):
        method = build("clip-at", "fine-grained", **options)
        results.append(method.losses(fine_batch, START))
    assert list(results[0]) == ["triplet", "class", "delta", "shuffle"]
    for name, factor in (("triplet", 1), ("class", 2), ("delta", 3), ("shuffle", 5)):
        torch.testing.assert_close(results[0][name], factor * results[1][name])


@pytest.mark.parametrize("off", ["class", "delta", "shuffle"])
def test_no_weight_no_loss(build, fine_batch, off):
    torch.manual_seed(0)
    whole = build("clip-at", "fine-grained").losses(fine_batch, START)
    torch.manual_seed(0)
    method = build("clip-at", "fine-grained", fresh=True, **{f"{off}_weight": 0.0})
    passes: list[int] = []
    encode = method.encode

    def noted(pixels, modality):
        passes.append(len(pixels))
        return encode(pixels, modality)

    method.encode = noted
    losses = method.losses(fine_batch, START)
    assert list(losses) == [name for name in whole if name != off]
    for name, loss in losses.items():
        torch.testing.assert_close(loss, whole[name])
    assert passes == [24 if off == "shuffle" else 48]  # shuffled pictures are not encoded for nothing


def test_no_weight_no_class_loss(build, category_batch):
    assert list(build("clip-at", class_weight=0.0).losses(category_batch, START)) == ["triplet"]


def test_prompts_alone_leave_the_norms_frozen(build, category_batch):
    method = build("clip-at", train_norms=False)
    assert {name.partition(".")[0] for name, p in method.named_parameters() if p.requires_grad} == {"prompts"}
    baseline = build("modality-prompts")  # is the same, and draws the same prompts
    torch.testing.assert_close(
        method.encode(category_batch.sketches, "sketch"), baseline.encode(category_batch.sketches, "sketch")
    )


def test_batches_and_rates(build):
    category, fine = build("clip-at"), build("clip-at", "fine-grained", per_class=4)
    assert category.batch_plan() == BatchPlan("shuffled")
    assert fine.batch_plan() == BatchPlan("pk", 4)
    assert [(group.name, group.lr) for group in category.groups()] == [("prompts", 1e-4), ("norms", 1e-5)]
    assert [g.lr for g in build("clip-at", prompt_lr=1.0, norm_lr=2.0).groups()] == [1.0, 2.0]


def test_pictures_pass_in_one_forward_a_modality(build, category_batch, fine_batch):
    for setting, batch, expected in (
        ("category", category_batch, [("sketch", 8), ("photo", 16)]),
        ("fine-grained", fine_batch, [("photo", 48)]),
    ):
        method = build("clip-at", setting)
        passes: list[tuple[str, int]] = []
        encode = method.encode
        method.encode = lambda x, m, e=encode, seen=passes: seen.append((m, len(x))) or e(x, m)
        method.losses(batch, START)
        assert passes == expected


def test_trained_parameters_of_the_released_code(build):
    method = build("clip-at", encoders="shared-norms", forgotten=True)
    extra = {name.removeprefix("backbone.image.") for name, p in method.named_parameters() if p.requires_grad}
    extra = {name for name in extra if not name.startswith(("prompts.", "norms."))}
    attention = {
        f"layers.{i}.self_attn.{x}_proj.{kind}" for i in range(3) for x in "qkv" for kind in ("weight", "bias")
    }
    assert extra == attention | {"projection.weight", "stem.class_embedding", "stem.position_embedding.weight"}
