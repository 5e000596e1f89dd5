import re
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from sketchseek.methods.jigsaw import make_puzzles
from sketchseek.methods.method import BatchPlan, Clock
from tests.methods.oracle import assert_same_gradients, cos, linear, slow_tower

START = Clock(0, 0, 1)
WORDS = {"sketch": "a sketch of a", "photo": "a photo of a"}


def slow_words(method, tokens):
    """B_t: T (m, text width) of one image's tokens."""
    block, patches = method.patches_to_words, tokens[1:]
    if block is None:
        return tokens.new_zeros(0, method.backbone.text.width)
    mixed = [
        sum(block.mix.weight[m, p] * patches[p] for p in range(len(patches))) + block.mix.bias[m]
        for m in range(len(block.mix.weight))
    ]
    narrow = linear(functional.gelu(torch.stack(mixed)), block.narrow)
    return linear(functional.gelu(narrow), block.last)


def slow_classes(method, words, modality):
    """F_t(c) of all classes and, by layer, the mean of W_l over words, then over classes."""
    text, texts, means = method.backbone.text, [], []
    for name in method.classes:
        ids = method.backbone.tokens([f"{WORDS[modality]} {name.replace('_', ' ').replace('-', ' ')}"]).ids[0]
        tokens = text.words(ids) + text.positions.weight[: len(ids)]
        embedding, entered = slow_tower(
            text, tokens, [words] * text.depth, method.text_norms, causal=True, end=len(ids) - 1
        )
        texts.append(embedding)
        means.append([sum(states) / len(states) for states in entered[1:]])  # what leaves layers 1 to L
    return texts, [sum(layer) / len(layer) for layer in zip(*means, strict=True)]


def slow_prompts(method, states, modality):
    """[V^tg, V^ms_l] of every image layer."""
    ids = method.backbone.tokens([WORDS[modality]]).ids[0, 1:-1]
    width = method.backbone.image.width
    from_words = torch.zeros(0, width, dtype=torch.float64)
    if method.words_to_image is not None:
        from_words = linear(method.backbone.text.words(ids), method.words_to_image)
    if method.states_to_image is None:
        return [from_words] * len(states)
    prompts = []
    for number, state in enumerate(states):
        blocks = method.states_to_image.blocks
        first, _, last = blocks[number if len(blocks) > 1 else 0]
        out = linear(linear(state[None], first).clamp(min=0), last)[0]
        prompts.append(torch.cat((from_words, out[None, :width], out[None, width:])))
    return prompts


def slow_image(method, tokens, prompts, before):
    return slow_tower(method.backbone.image, tokens, prompts, method.image_norms, before_pre_norm=before)[0]


def slow_losses(method, s, p, n, puzzle, order, texts, batch):
    """L_triplet + alpha L_class + beta L_cjs from the embeddings; ``texts``: F_t(c) for each of s, p and n."""

    def unit(x):
        return x / torch.sqrt((x * x).sum())

    words = method.backbone.class_tokens(method.classes, "a photo of a {}")
    frozen = method.backbone.text(words.ids, words.ends)
    total: torch.Tensor | int = 0
    for i in range(len(s)):
        right, wrong = batch.labels[i], batch.negative_labels[i]
        mu = 1 if right == wrong else cos(frozen[right], frozen[wrong])
        mu = mu if method.options.margin is None else method.options.margin
        near, far = ((unit(s[i]) - unit(x)).square().sum() for x in (p[i], n[i]))
        total = total + method.options.triplet_weight * torch.relu(near - far + mu)
        for k, (x, label) in enumerate(((s[i], right), (p[i], right), (n[i], wrong))):
            logits = torch.stack([cos(x, text) / 0.01 for text in texts[k][i]])
            total = total + method.options.alpha / 3 * (torch.logsumexp(logits, 0) - logits[label])
        if method.solver is not None:
            errors = []
            for whole in (s[i], p[i], n[i]):
                logits = method.solver(whole[None], puzzle[i][None])[0]
                errors.append(torch.logsumexp(logits, 0) - logits[order[i]])
            total = total + method.options.beta * (errors[0] + torch.relu(errors[1] - errors[2]))
    return total / len(s)


@pytest.mark.parametrize(
    ("setting", "options"),
    [
        ("category", {}),
        ("fine-grained", {"before_pre_norm": True, "block_per_layer": True}),
        # The rows of the paper's ablations.
        ("category", {"triplet_weight": 0.0, "beta": 0.0}),
        ("category", {"alpha": 0.0, "beta": 0.0, "margin": 0.2}),
        ("fine-grained", {"triplet_weight": 2.0, "margin": 0.2}),
        ("category", {"train_norms": False}),
        ("category", {"words_to_image": False}),
        ("category", {"patches_to_words": False}),
        ("category", {"states_to_image": False}),
        ("category", {"words_to_image": False, "states_to_image": False}),
        ("category", {"words_to_image": False, "states_to_image": False, "patches_to_words": False}),
    ],
)
def test_model_with_texts_of_the_batch_is_its_equations(build_micro, micro_batch, setting, options):
    weights = {"alpha": 2.0, "beta": 3.0, "solver_dropout": 0.0, "solver_heads": 2}
    method, before = build_micro("splip", setting, **(weights | options)), options.get("before_pre_norm", False)
    batch = micro_batch([0, 2], same_class=setting == "fine-grained")
    torch.manual_seed(3)
    puzzles, order = make_puzzles(batch.sketches, method.permutations, torch.default_generator)
    stem, features, texts, words = method.backbone.image.stem, {}, {}, {}
    for modality, whole, more in (
        ("sketch", batch.sketches, puzzles),
        ("photo", torch.cat((batch.positives, batch.negatives)), batch.sketches[:0]),
    ):
        tokens = stem(torch.cat((whole, more)))
        words[modality] = sum(slow_words(method, one) for one in tokens[: len(whole)]) / len(whole)
        texts[modality], states = slow_classes(method, words[modality], modality)
        prompts = slow_prompts(method, states, modality)
        features[modality] = [slow_image(method, one, prompts, before) for one in tokens]
    (s, puzzle), (p, n) = _halves(features["sketch"]), _halves(features["photo"])
    of_all = [[texts[modality]] * 2 for modality in ("sketch", "photo", "photo")]
    slow = slow_losses(method, s, p, n, puzzle, order, of_all, batch)
    torch.manual_seed(3)
    fast = sum(method.losses(batch, START).values())
    assert_same_gradients(fast, slow, [q for q in method.parameters() if q.requires_grad])
    torch.testing.assert_close(method.mean_words, torch.stack([words["sketch"], words["photo"]]).detach())


def _halves(rows):
    return rows[: len(rows) // 2], rows[len(rows) // 2 :]


def test_model_with_texts_per_image_is_its_equations(build_micro, micro_batch):
    method = build_micro("splip", text_cost="per-image", alpha=2.0, beta=3.0, solver_dropout=0.0, solver_heads=2)
    batch = micro_batch([0, 2])
    torch.manual_seed(3)
    puzzles, order = make_puzzles(batch.sketches, method.permutations, torch.default_generator)
    rows, texts = [], []
    for pixels, modality in (
        (batch.sketches, "sketch"),
        (batch.positives, "photo"),
        (batch.negatives, "photo"),
        (puzzles, "sketch"),
    ):
        embeddings, of_images = [], []
        for tokens in method.backbone.image.stem(pixels):
            classes, states = slow_classes(method, slow_words(method, tokens), modality)
            embeddings.append(slow_image(method, tokens, slow_prompts(method, states, modality), False))
            of_images.append(classes)
        torch.testing.assert_close(method.encode(pixels, modality), torch.stack(embeddings))
        rows.append(embeddings)
        texts.append(of_images)
    s, p, n, puzzle = rows
    slow = slow_losses(method, s, p, n, puzzle, order, texts[:3], batch)
    torch.manual_seed(3)
    fast = sum(method.losses(batch, START).values())
    assert_same_gradients(fast, slow, [q for q in method.parameters() if q.requires_grad])


def test_texts_per_image_cost_what_the_page_says(build, category_batch):
    """Each class is read for each sketch, shuffled sketch, positive and negative of a step."""
    method, read = build("splip", text_cost="per-image"), []
    run = method.backbone.text.run

    def noted(tokens, *more, **named):
        read.append(len(tokens))
        return run(tokens, *more, **named)

    method.backbone.text.run = noted
    method.losses(category_batch, START)
    n = len(category_batch.sketches)
    frozen = len(method.classes) + 2  # the texts of the adaptive margin, and the words of both modalities
    assert abs(sum(read) - 4 * n * len(method.classes)) <= frozen
    page = (Path(__file__).resolve().parents[2] / "docs/research/methods.md").read_text(encoding="utf-8")
    (texts, classes, batch) = (
        int(number.replace(",", ""))
        for number in re.search(
            r"With\s+(?P<c>\d+) classes and a batch of (?P<b>\d+) that is about (?P<t>[\d,]+) texts", page
        ).group("t", "c", "b")  # type: ignore[union-attr]
    )
    assert texts == pytest.approx(4 * batch * classes, rel=0.01)


def test_after_training_the_moving_average_of_t_makes_the_prompts(build_micro, micro_batch):
    method = build_micro("splip").eval()
    method.mean_words.copy_(torch.randn_like(method.mean_words))
    pixels = micro_batch([0, 1]).sketches
    for row, modality in enumerate(("sketch", "photo")):
        _, states = slow_classes(method, method.mean_words[row], modality)
        prompts = slow_prompts(method, states, modality)
        expected = [slow_image(method, tokens, prompts, False) for tokens in method.backbone.image.stem(pixels)]
        torch.testing.assert_close(method.encode(pixels, modality), torch.stack(expected))
    text, words = method.backbone.text, method.backbone.tokens(["dog"])
    expected, _ = slow_tower(
        text, text.embed(words.ids)[0], [method.mean_words[1]] * text.depth, method.text_norms, causal=True,
        end=int(words.ends[0]),
    )  # fmt: skip
    torch.testing.assert_close(method.encode_texts(["dog"])[0], expected)


def test_memory_is_a_plain_mean_at_first_and_a_moving_one_later(build_micro, micro_batch):
    method, batch = build_micro("splip", memory=0.75), micro_batch([0, 1])
    seen, expected = [], torch.zeros(())
    for step in range(8):
        with torch.no_grad():
            method.patches_to_words.last.bias.fill_(step)  # moves T
            tokens = method.backbone.image.embed(batch.sketches)
            seen.append(torch.stack([slow_words(method, one) for one in tokens]).mean(dim=0))
            method.losses(batch, START)
        expected = torch.stack(seen).mean(dim=0) if step < 4 else 0.75 * expected + 0.25 * seen[-1]
        torch.testing.assert_close(method.mean_words[0], expected)
    assert method.steps_seen == 8
    method.eval()
    before = method.mean_words.clone()
    method.losses(batch, START)
    assert torch.equal(method.mean_words, before)


def test_before_any_training_t_is_that_of_a_grey_image(build):
    method = build("splip")
    grey = method.backbone.image.embed(torch.zeros(1, 3, 224, 224))
    torch.testing.assert_close(method.mean_words, method.words_of(grey).expand(2, -1, -1))


def test_texts_are_read_once_for_search_and_again_after_training(build, category_batch):
    method, passes = build("splip"), []
    read = method.read_classes

    def noted(words, modality):
        passes.append(modality)
        return read(words, modality)

    method.read_classes = noted
    pixels = category_batch.sketches

    def search():
        with torch.inference_mode():
            return method.encode(pixels, "sketch"), method.encode(pixels, "photo")

    method.eval()
    first = search()
    assert passes == ["sketch", "photo"]
    assert all(torch.equal(a, b) for a, b in zip(first, search(), strict=True))
    assert len(passes) == 2
    method.train()
    with torch.no_grad():
        method.words_to_image.weight.add_(1)
    method.eval()
    assert not torch.equal(search()[0], first[0])
    assert len(passes) == 4
    other = {name: tensor + 1 for name, tensor in method.adapter().items()}
    again = search()
    method.load_adapter(other)
    assert not torch.equal(search()[0], again[0])
    assert len(passes) == 6
    method.double()
    with torch.inference_mode():
        assert method.encode(pixels.double(), "sketch").dtype == torch.float64
    assert len(passes) == 7
    method.encode(pixels.double(), "sketch")  # with gradients: nothing kept may be used
    assert len(passes) == 8


def test_only_seen_classes_are_read(build, category_batch):
    method, calls = build("splip").eval(), []
    tokens = method.backbone.class_tokens

    def noted(names, template):
        calls.append((names, template))
        return tokens(names, template)

    method.backbone.class_tokens = noted
    method.encode(category_batch.sketches, "sketch")
    method.encode(category_batch.sketches, "photo")
    assert calls == [(method.classes, "a sketch of a {}"), (method.classes, "a photo of a {}")]


@pytest.mark.parametrize(("text_depth", "expected"), [(3, [1, 2, 3]), (1, [1, 1, 1]), (6, [2, 4, 6]), (2, [1, 2, 2])])
def test_layers_of_unlike_towers_are_matched_in_proportion(build, text_depth, expected):
    method = build("splip")
    method.backbone.text.depth = text_depth
    assert method._text_layers() == expected


def test_switches_leave_parts_out(build, category_batch):
    method = build("splip", beta=0.0, train_norms=False)
    assert [group.name for group in method.groups()] == ["blocks"]
    assert method.solver is None
    assert list(method.losses(category_batch, START)) == ["triplet", "class"]
    assert list(build("splip", alpha=0.0).losses(category_batch, START)) == ["triplet", "jigsaw"]
    assert build("splip").batch_plan() == BatchPlan("shuffled")
    assert [(g.name, g.lr) for g in build("splip").groups()] == [("blocks", 1e-3), ("norms", 1e-5)]


def test_six_prompts_of_two_origins(build):
    method = build("splip")
    _, states = method.read_classes(method.mean_words[0], "sketch")
    prompts = method.image_prompts(states, "sketch")
    assert [p.shape for p in prompts.values()] == [(6, 32)] * 3
    assert torch.equal(prompts[0][:4], prompts[2][:4])  # V^tg, the same at every layer
    assert not torch.equal(prompts[0][4:], prompts[2][4:])  # V^ms_l


def test_generators_of_a_step_are_torchs_own(build, category_batch):
    method = build("splip")
    results = []
    for _ in range(2):
        torch.manual_seed(5)
        method.steps_seen.zero_()
        results.append(method.losses(category_batch, START)["jigsaw"].item())
    assert results[0] == results[1]
