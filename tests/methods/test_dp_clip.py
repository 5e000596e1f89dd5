import pytest
import torch

from sketchseek import SketchseekError
from sketchseek.losses.distances import cosine_distance
from sketchseek.methods.method import Augmentation, BatchPlan, Clock
from sketchseek.methods.templates import SINGLE, TEMPLATES
from tests.methods.oracle import assert_same_gradients, cos, layer_norm, linear, slow_layer, slow_tower

MICRO = {"window": 2, "rank": 3, "prompt_dropout": 0.0}


def at(epoch):
    return Clock(epoch, epoch, 60)


def slow_text(method, category, templates=TEMPLATES):
    rows = []
    for template in templates:
        words = method.backbone.tokens([template.replace("{}", category)])
        row = method.backbone.text(words.ids, words.ends)[0]
        rows.append(row / torch.sqrt((row * row).sum()))
    return sum(rows) / len(rows)


def slow_features(method, tokens, prompts, text):
    """f_g and f_l^1..4 of one picture."""
    image = method.backbone.image
    side = []
    for layer, branch in enumerate(method.branches):
        if text is None:
            a = b = torch.zeros(method.options.rank, dtype=torch.float64)
        else:
            scales = method.scales[layer]
            out = linear(linear(text[None], scales.hidden).clamp(min=0), scales.last)[0]
            a, b = out[: method.options.rank], out[method.options.rank :]
        side.append((branch, a, b))
    whole, entered = slow_tower(
        image, tokens, list(prompts), method.norms, at_end=True, before_pre_norm=True, side=side
    )
    local, features = entered[-2], [whole]  # what enters the last layer
    for number, (row, column) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        patches = [local[1 + 3 * r + c] for r in (row, row + 1) for c in (column, column + 1)]
        side_of_local = None if method.local.branch is None else (method.local.branch, 0, 0)  # never scaled
        states = slow_layer(method.local.layer, torch.stack([local[0], *patches]), side=side_of_local)
        features.append(linear(layer_norm(states[:1], method.local.norms[number]), method.local.projections[number])[0])
    return features


def slow_triplets(s, p, n, instances, weight, margin=0.15):
    """(1 - w) L_ordinary + w L_hard of one kind of feature."""
    ordinary = sum(torch.relu(margin + (1 - cos(*x)) - (1 - cos(x[0], y))) for *x, y in zip(s, p, n, strict=True))
    hard: torch.Tensor | int = 0
    for i in range(len(s)):
        others = [(1 - cos(s[i], p[j])) / 2 for j in range(len(p)) if instances[j] != instances[i]]
        hard = hard + torch.relu(margin + (1 - cos(s[i], p[i])) / 2 - torch.stack(others).min())
    kept = (1 - weight) * ordinary if weight < 1 else 0
    return (kept + weight * hard) / len(s)


def slow_support(method, tokens, drawn):
    sequence = torch.cat([tokens[i] for i in drawn])
    prompts = []
    for layer in method.base_prompts.tokens:
        both = torch.cat((sequence, linear(layer, method.base_prompts.linear)))
        prompts.append(slow_layer(method.support_reader.layer, both)[-3:])
    return prompts


@pytest.mark.parametrize(("epoch", "clip", "weight"), [(0, True, 0), (25, True, 0.5), (55, True, 1), (55, False, 1.25)])
def test_fine_grained_model_is_its_equations(build_micro, micro_batch, epoch, clip, weight):
    method = build_micro("dp-clip", "fine-grained", hard_clip=clip, **MICRO)
    batch = micro_batch([1, 1, 1], same_class=True)
    stem = method.backbone.image.stem
    torch.manual_seed(3)
    tokens = torch.cat((stem(batch.sketches), stem(batch.positives), stem(batch.negatives)))
    drawn = torch.cat((torch.randint(3, (1,)), 3 + torch.randint(3, (2,))))  # 1 sketch, 2 photos of the batch
    prompts, text = slow_support(method, tokens, drawn), slow_text(method, "dog")
    rows = [slow_features(method, one, prompts, text) for one in tokens]
    slow: torch.Tensor | float = 0
    for kind in range(5):
        s, p, n = ([row[kind] for row in rows[3 * i : 3 * i + 3]] for i in range(3))
        slow = slow + (1 if kind == 0 else 0.1) * slow_triplets(s, p, n, batch.instances, weight)
    torch.manual_seed(3)
    losses = method.losses(batch, at(epoch))
    assert list(losses) == ["ordinary", "hard"]
    assert_same_gradients(sum(losses.values()), slow, [q for q in method.parameters() if q.requires_grad])


#: an option that switches a part off, and the names of what it trains
PART_NAMES = {
    "prompts": ("base_prompts", "support_reader"),
    "window": ("local",),
    "rank": ("branches", "scales", "local.branch"),
    "text_scales": ("scales",),
    "local_branch": ("local.branch",),
}


@pytest.mark.parametrize("off", PART_NAMES)
def test_a_part_can_be_switched_off(build, pure_batch, off):
    method = build("dp-clip", "fine-grained", **{off: 0})
    whole = build("dp-clip", "fine-grained", fresh=True)
    for part in PART_NAMES[off]:
        assert not any(name.startswith(part) for name, _ in method.named_parameters())
        assert any(name.startswith(part) for name, _ in whole.named_parameters())
    assert method.size == (16 if off == "window" else 80)
    assert method.support() == ((0, 0) if off == "prompts" else (1, 2))
    losses = method.losses(pure_batch, at(15))
    assert losses["ordinary"] > 0 < losses["hard"]
    sketches, photos = method.support()
    with torch.inference_mode():
        encode = method.eval().for_category("dog", pure_batch.sketches[:sketches], pure_batch.positives[:photos])
        assert encode(pure_batch.sketches, "sketch").shape == (6, method.size)


def test_without_any_part_a_fresh_model_is_clip(build, pure_batch):
    method = build("dp-clip", "fine-grained", prompts=0, window=0, rank=0).eval()
    found = method.for_category("dog", pure_batch.sketches[:0], pure_batch.positives[:0])(pure_batch.sketches, "sketch")
    expected = method.backbone.image(pure_batch.sketches)
    torch.testing.assert_close(found, expected / torch.linalg.vector_norm(expected, dim=1, keepdim=True))
    assert [group.name for group in method.groups() if group.parameters] == ["norms"]


def test_without_text_scales_the_name_changes_nothing(build, pure_batch):
    method = build("dp-clip", "fine-grained", text_scales=False).eval()
    for parameter in method.branches.parameters():
        parameter.data.normal_(std=0.1)
    support = pure_batch.sketches[:1], pure_batch.positives[:2]
    with torch.inference_mode():
        one, other = (method.for_category(name, *support)(pure_batch.sketches, "sketch") for name in ("dog", "cat"))
    assert torch.equal(one, other)


def test_ordinary_triplets_alone(build, pure_batch):
    method = build("dp-clip", "fine-grained", hard_stages=0)
    assert method.losses(pure_batch, at(59))["hard"] == 0 < method.losses(pure_batch, at(59))["ordinary"]


@pytest.mark.parametrize("unknown_text", ["none", "mean", "predicted"])
def test_category_model_is_its_equations(build_micro, micro_batch, unknown_text):
    method, batch = build_micro("dp-clip", unknown_text=unknown_text, **MICRO), micro_batch([0, 2, 2])
    names = [name.replace("_", " ").replace("-", " ") for name in method.classes]
    mean = None if unknown_text == "none" else sum(slow_text(method, name) for name in names) / len(names)
    words = method.backbone.class_tokens(method.classes)
    texts = method.backbone.text(words.ids, words.ends)

    def text_of(picture):
        if unknown_text != "predicted" or picture >= 3:  # photos
            return mean
        plain = method.backbone.image(batch.sketches)[picture]
        nearest = max(range(len(names)), key=lambda name: float(cos(plain, texts[name])))
        return slow_text(method, names[nearest])

    prompts = [linear(layer, method.base_prompts.linear) for layer in method.base_prompts.tokens]
    stem = method.backbone.image.stem
    pixels = torch.cat((batch.sketches, batch.positives, batch.negatives))
    rows = [slow_features(method, one, prompts, text_of(picture)) for picture, one in enumerate(stem(pixels))]
    slow: torch.Tensor | float = 0
    for kind in range(5):
        s, p, n = ([row[kind] for row in rows[3 * i : 3 * i + 3]] for i in range(3))
        slow = slow + (1 if kind == 0 else 0.1) * slow_triplets(s, p, n, batch.labels, 0.25)
    for i, row in enumerate(rows[:6]):
        logits = torch.stack([cos(row[0], text) / 0.01 for text in texts])
        slow = slow + 0.5 * (torch.logsumexp(logits, 0) - logits[batch.labels[i % 3]]) / 3
    losses = method.losses(batch, at(10))
    assert list(losses) == ["ordinary", "hard", "class"]
    assert_same_gradients(sum(losses.values()), slow, [q for q in method.parameters() if q.requires_grad])


def test_one_vector_ranks_as_the_fused_distance(build, pure_batch):
    method = build("dp-clip", "fine-grained").eval()
    conditions = method.conditions("dog", method.backbone.image.embed(pure_batch.sketches[:3]))
    sketch, photo = (
        method.features(method.backbone.image.embed(pixels), conditions)
        for pixels in (pure_batch.sketches, pure_batch.positives)
    )
    fused = torch.zeros(6, 6)
    for i in range(6):
        for j in range(6):
            local = sum(cosine_distance(a[i], b[j]) for a, b in zip(sketch[1:], photo[1:], strict=True))
            fused[i, j] = cosine_distance(sketch[0][i], photo[0][j]) + 0.2 * local
    one, other = method.fuse(sketch), method.fuse(photo)
    assert one.shape == (6, method.size) == (6, 80)
    distance = cosine_distance(one.unsqueeze(1), other)
    torch.testing.assert_close(1.8 * distance, fused)


def test_a_category_is_its_name_and_its_support_pictures(build, pure_batch):
    method = build("dp-clip", "fine-grained").eval()
    for parameter in method.branches.parameters():
        parameter.data.normal_(std=0.1)
    for layer in method.scales:
        layer.last.weight.data.normal_()
    sketches, photos = pure_batch.sketches[:1], pure_batch.positives[:2]
    with torch.inference_mode():
        one = method.for_category("dog", sketches, photos)(pure_batch.sketches, "sketch")
        again = method.for_category("dog", sketches, photos)(pure_batch.sketches, "photo")
        named = method.for_category("cat", sketches, photos)(pure_batch.sketches, "sketch")
        shown = method.for_category("dog", sketches + 1, photos)(pure_batch.sketches, "sketch")
    assert torch.equal(one, again)
    assert not torch.allclose(one, named)
    assert not torch.allclose(one, shown)


def test_without_a_category_the_fine_grained_model_says_what_it_needs(build, pure_batch):
    method = build("dp-clip", "fine-grained")
    assert method.support() == (1, 2)
    assert build("dp-clip").support() is None
    with pytest.raises(SketchseekError, match="known category"):
        method.encode(pure_batch.sketches, "sketch")
    with pytest.raises(SketchseekError, match="at least one support picture of 'dog'"):
        method.for_category("dog", pure_batch.sketches[:0], pure_batch.positives[:0])


def test_a_mixed_batch_is_refused(build, fine_batch):
    with pytest.raises(ValueError, match="one category"):
        build("dp-clip", "fine-grained").losses(fine_batch, at(0))


def test_a_fresh_model_without_prompts_is_clip(build, category_batch):
    method = build("dp-clip", prompts=0).eval()
    whole = method.encode(category_batch.sketches, "sketch")[:, :16]
    expected = method.backbone.image(category_batch.sketches)
    torch.testing.assert_close(whole, expected / torch.linalg.vector_norm(expected, dim=1, keepdim=True))


def test_texts_are_compared_with_the_whole_picture(build, category_batch):
    method = build("dp-clip").eval()
    words, pictures = method.encode_texts(["cat", "dog"]), method.encode(category_batch.sketches, "photo")
    expected = torch.stack([torch.stack([cos(w[:16], p[:16]) for p in pictures]) for w in words])
    found = torch.stack([torch.stack([cos(w, p) for p in pictures]) for w in words])
    torch.testing.assert_close(found * 1.8**0.5, expected)


def test_late_epochs_leave_the_negatives_alone(build, pure_batch):
    method, seen = build("dp-clip", "fine-grained"), []
    embed = method.backbone.image.embed

    def noted(pixels):
        seen.append(len(pixels))
        return embed(pixels)

    method.backbone.image.embed = noted
    method.losses(pure_batch, at(39))
    late = method.losses(pure_batch, at(40))
    assert seen == [18, 12]
    assert late["ordinary"] == 0


def test_too_few_patches_for_the_windows_is_one_sentence(build_micro):
    with pytest.raises(SketchseekError, match="windows of 5x5 patches do not fit into the backbone's 3x3"):
        build_micro("dp-clip")


def test_texts_of_a_category(build):
    ensemble, single = build("dp-clip", "fine-grained"), build("dp-clip", "fine-grained", texts="single")
    torch.testing.assert_close(ensemble.category_text("hot-air_balloon"), slow_text(ensemble, "hot air balloon"))
    torch.testing.assert_close(single.category_text("dog"), slow_text(single, "dog", SINGLE))
    assert len(TEMPLATES) == len(set(TEMPLATES)) == 63
    assert all(template.count("{}") == 1 and template.startswith("this is ") for template in (*TEMPLATES, *SINGLE))


def test_batches_augmentation_and_rates(build):
    fine = build("dp-clip", "fine-grained")
    assert fine.batch_plan() == BatchPlan("category-pure")
    assert build("dp-clip").batch_plan() == BatchPlan("shuffled")
    assert fine.augmentation() == Augmentation(flip=0.5, rotate=0.5, grayscale=0.5)
    assert build("dp-clip", flip=0.0).augmentation() == Augmentation(flip=0.0, rotate=0.5, grayscale=0.5)
    assert [(group.name, group.lr) for group in fine.groups()] == [("modules", 1e-5), ("norms", 1e-6)]


def test_trained_parameters_of_the_released_code(build):
    plain, forgetful = (build("dp-clip", fresh=True, forgotten=flag) for flag in (False, True))
    names = [{n for n, p in method.named_parameters() if p.requires_grad} for method in (plain, forgetful)]
    attention = {f"local.layer.self_attn.{x}_proj.{kind}" for x in "qkv" for kind in ("weight", "bias")}
    tower = {"projection.weight", "stem.class_embedding", "stem.position_embedding.weight"}
    assert names[1] - names[0] == attention | {f"backbone.image.{name}" for name in tower}
