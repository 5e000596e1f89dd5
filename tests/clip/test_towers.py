"""Prompts, LayerNorms and branches on the towers, against a slow forward written out from the definitions."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sketchseek.clip.adaptation import Adaptation, Norms
from sketchseek.clip.layers import Branch
from sketchseek.clip.towers import ImageTower, TextTower, Tower

Noise = Callable[..., Tensor]


def slow_norm(norm: Any, token: Tensor) -> Tensor:
    centred = token - token.mean()
    scaled: Tensor = centred / (centred.pow(2).mean() + norm.eps).sqrt() * norm.weight.double() + norm.bias.double()
    return scaled


def slow_linear(linear: Any, token: Tensor) -> Tensor:
    out: Tensor = linear.weight.double() @ token
    return out if linear.bias is None else out + linear.bias.double()


def slow_layer(
    layer: Any, tokens: list[Tensor], norms: tuple[Any, Any], branch: Branch | None, causal: bool
) -> list[Tensor]:
    """One layer over one sequence, token by token and head by head, in float64."""
    attention, out = layer.self_attn, []
    normed = [slow_norm(norms[0], token) for token in tokens]
    triples = [[slow_linear(getattr(attention, f"{x}_proj"), token) for x in "qkv"] for token in normed]
    if branch is not None and branch.qkv is not None:
        extra = branch.qkv(torch.stack(normed).float()[None])[0].double()
        triples = [[t + e for t, e in zip(ts, es.chunk(3), strict=True)] for ts, es in zip(triples, extra, strict=True)]
    head = len(tokens[0]) // attention.num_heads
    for at, token in enumerate(tokens):
        seen = range(at + 1) if causal else range(len(tokens))
        mixed = []
        for start in range(0, len(token), head):
            part = slice(start, start + head)
            scores = torch.stack([triples[at][0][part] @ triples[other][1][part] / head**0.5 for other in seen])
            weights = scores.softmax(0)
            mixed.append(sum(w * triples[other][2][part] for w, other in zip(weights, seen, strict=True)))
        middle = token + slow_linear(attention.out_proj, torch.cat(mixed))
        hidden = slow_linear(layer.mlp.fc1, slow_norm(norms[1], middle))
        final = middle + slow_linear(layer.mlp.fc2, hidden * torch.sigmoid(1.702 * hidden))
        if branch is not None and branch.mlp is not None:
            final = final + branch.mlp(middle.float()[None, None])[0, 0].double()
        out.append(final)
    return out


def slow_run(tower: Tower, tokens: Tensor, read: int, how: Adaptation) -> Tensor:
    """One sequence (n, width) -> its embedding; ``read`` is the token that is read, prompts not counted."""
    own = how.norms or Norms(tower)
    first, *rest = tokens.double()
    prompts: list[Tensor] = []

    def sequence() -> list[Tensor]:
        return [first, *prompts, *rest] if how.place == "after_first" else [first, *rest, *prompts]

    def parted(sequence: list[Tensor]) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        count = len(prompts)
        if how.place == "after_first":
            return sequence[0], sequence[1 : 1 + count], sequence[1 + count :]
        return sequence[0], sequence[len(sequence) - count :], sequence[1 : len(sequence) - count]

    early = how.before_pre_norm and own.pre is not None
    if 0 in how.prompts and early:
        prompts = list(how.prompts[0].double())
    if own.pre is not None:
        first, prompts, rest = parted([slow_norm(own.pre, token) for token in sequence()])
    for number, layer in enumerate(tower.layers):
        if number in how.prompts and (number or not early):
            prompts = list(how.prompts[number].double())
        norms = (own.first[number], own.second[number])
        first, prompts, rest = parted(
            slow_layer(layer, sequence(), norms, how.branches.get(number), causal=tower.causal)
        )
    return slow_linear(tower.projection, slow_norm(own.post, [first, *rest][read])).float()


def low_rank(noise: Noise, width: int, rank: int = 4) -> Branch:
    down, up, down2, up2 = noise(rank, width), noise(3 * width, rank), noise(rank, width), noise(width, rank)
    scale = 1 + noise(rank)
    return Branch(lambda x: (x @ down.T * scale) @ up.T / 16, lambda x: (x @ down2.T * scale) @ up2.T / rank)


def other_norms(tower: Tower, noise: Noise) -> Norms:
    norms = tower.copy_norms().requires_grad_(False)
    for parameter in norms.parameters():
        parameter.add_(noise(*parameter.shape) * 0.2)
    return norms


def test_every_attachment_at_once_does_what_the_definition_says(
    image: ImageTower, text: TextTower, noise: Noise, pixels: Tensor
) -> None:
    how = Adaptation(
        prompts={0: noise(2, 32), 2: noise(3, 32)},
        norms=other_norms(image, noise),
        branches={0: low_rank(noise, 32), 1: Branch(qkv=low_rank(noise, 32).qkv)},
    )
    tokens = image.embed(pixels[:1])
    expected = slow_run(image, tokens[0], 0, how)
    torch.testing.assert_close(image.run(tokens, how).embedding[0], expected, rtol=1e-4, atol=1e-4)

    how = Adaptation(
        prompts={0: noise(2, 24), 1: noise(1, 24)},
        norms=other_norms(text, noise),
        branches={2: low_rank(noise, 24)},
    )
    words = text.embed(torch.tensor([[1, 3, 4, 5, 2, 2]]))
    expected = slow_run(text, words[0], 4, how)
    torch.testing.assert_close(text.run(words, torch.tensor([4]), how).embedding[0], expected, rtol=1e-4, atol=1e-4)


@settings(max_examples=25)
@given(
    counts=st.dictionaries(st.integers(0, 2), st.integers(0, 4), max_size=3),
    place=st.sampled_from(["after_first", "end"]),
    early=st.booleans(),
    length=st.integers(2, 6),
    seed=st.integers(0, 1000),
)
def test_prompts_stand_where_they_are_put(
    image: ImageTower, counts: Mapping[int, int], place: Any, early: bool, length: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    prompts = {layer: torch.randn(count, 32, generator=generator) for layer, count in counts.items()}
    how = Adaptation(prompts=prompts, place=place, before_pre_norm=early)
    tokens = torch.randn(1, length, 32, generator=generator)
    expected = slow_run(image, tokens[0], 0, how)
    torch.testing.assert_close(image.run(tokens, how).embedding[0], expected, rtol=1e-4, atol=1e-4)


@settings(max_examples=25)
@given(
    counts=st.dictionaries(st.integers(0, 2), st.integers(0, 4), max_size=3),
    length=st.integers(2, 6),
    padding=st.integers(0, 3),
    seed=st.integers(0, 1000),
)
def test_text_prompts_stand_between_sos_and_the_words(
    text: TextTower, counts: Mapping[int, int], length: int, padding: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    prompts = {layer: torch.randn(count, 24, generator=generator) for layer, count in counts.items()}
    how = Adaptation(prompts=prompts)
    tokens = torch.randn(1, length + padding, 24, generator=generator)
    expected = slow_run(text, tokens[0, :length], length - 1, how)
    found = text.run(tokens, torch.tensor([length - 1]), how).embedding[0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("early", [True, False])
def test_the_image_tower_does_not_care_where_prompts_stand(
    image: ImageTower, noise: Noise, pixels: Tensor, layer: int, early: bool
) -> None:
    prompts = {layer: noise(3, 32)}
    first, end = (
        image(pixels, Adaptation(prompts=prompts, place=place, before_pre_norm=early))
        for place in ("after_first", "end")
    )
    torch.testing.assert_close(first, end, rtol=0, atol=1e-5)


@torch.no_grad()  # with gradients the activation is another formula, equal but for rounding
def test_what_has_no_effect_changes_nothing(image: ImageTower, text: TextTower, noise: Noise, pixels: Tensor) -> None:
    zero = Branch(lambda x: x.new_zeros(*x.shape[:2], 3 * x.shape[2]), torch.zeros_like)
    ids, ends = torch.tensor([[1, 3, 4, 2]]), torch.tensor([3])
    for how in (
        lambda tower: Adaptation(),
        lambda tower: Adaptation(prompts={layer: torch.empty(0, tower.width) for layer in range(3)}),
        lambda tower: Adaptation(branches=dict.fromkeys(range(3), zero)),
        lambda tower: Adaptation(norms=tower.copy_norms()),
    ):
        assert torch.equal(image(pixels, how(image)), image(pixels))
        assert torch.equal(text(ids, ends, how(text)), text(ids, ends))


def test_what_has_an_effect_changes_the_embedding(
    image: ImageTower, text: TextTower, noise: Noise, pixels: Tensor
) -> None:
    ids, ends = torch.tensor([[1, 3, 4, 2]]), torch.tensor([3])
    plain_image, plain_text = image(pixels), text(ids, ends)
    for layer in range(3):
        for tower, run, plain in (
            (image, lambda how: image(pixels, how), plain_image),
            (text, lambda how: text(ids, ends, how), plain_text),
        ):
            branch = low_rank(noise, tower.width)
            for how in (
                Adaptation(prompts={layer: noise(1, tower.width)}),
                Adaptation(branches={layer: Branch(qkv=branch.qkv)}),
                Adaptation(branches={layer: Branch(mlp=branch.mlp)}),
            ):
                assert (run(how) - plain).abs().max() > 1e-3


def test_prompts_may_differ_within_a_batch(image: ImageTower, noise: Noise, pixels: Tensor) -> None:
    prompts = noise(4, 3, 32)
    together = image(pixels, Adaptation(prompts={1: prompts}))
    alone = [image(pixels[n : n + 1], Adaptation(prompts={1: prompts[n]})) for n in range(4)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-5)


def test_a_row_does_not_depend_on_the_others(image: ImageTower, text: TextTower, pixels: Tensor) -> None:
    torch.testing.assert_close(
        image(pixels), torch.cat([image(pixels[n : n + 1]) for n in range(4)]), rtol=0, atol=1e-5
    )
    ids, ends = torch.tensor([[1, 3, 4, 5, 2], [1, 6, 2, 2, 2]]), torch.tensor([4, 2])
    alone = torch.cat([text(ids[:1], ends[:1]), text(ids[1:, :3], ends[1:])])
    torch.testing.assert_close(text(ids, ends), alone, rtol=0, atol=1e-5)


def test_kept_tokens_come_without_prompts_and_can_go_on(image: ImageTower, noise: Noise, pixels: Tensor) -> None:
    """What DP-CLIP's local windows need: CLS and the 7x7 grid as they enter the last layer."""
    for place in ("after_first", "end"):
        how = Adaptation(prompts={0: noise(2, 32), 1: noise(3, 32)}, place=place)
        run = image.run(image.embed(pixels), how, keep=[0, 2, 3])
        assert {layer: tuple(tokens.shape) for layer, tokens in run.tokens.items()} == dict.fromkeys(
            (0, 2, 3), (4, 50, 32)
        )
        torch.testing.assert_close(image.project(run.tokens[3][:, 0]), run.embedding)


def scaling(qkv: Tensor, mlp: Tensor) -> Branch:
    return Branch(lambda x: (x * qkv).repeat(1, 1, 3), lambda x: x * mlp)


def test_gradients_reach_what_is_attached_and_nothing_frozen(
    image: ImageTower, text: TextTower, noise: Noise, pixels: Tensor
) -> None:
    for tower, run in (
        (image, lambda how: image(pixels, how)),
        (text, lambda how: text(torch.tensor([[1, 3, 4, 2]]), torch.tensor([3]), how)),
    ):
        prompts = {layer: noise(2, tower.width).requires_grad_() for layer in range(3)}
        scales = [noise(tower.width).requires_grad_() for _ in range(2)]
        norms = tower.copy_norms()
        branch = scaling(*scales)
        run(Adaptation(prompts=prompts, norms=norms, branches={1: branch})).square().sum().backward()
        attached = [*prompts.values(), *scales, *norms.parameters()]
        assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in attached)
        assert all(one.grad is None for one in tower.parameters())


def test_recomputing_layers_gives_the_same_gradients(image: ImageTower, noise: Noise, pixels: Tensor) -> None:
    def gradients() -> list[Tensor]:
        generator = torch.Generator().manual_seed(1)
        prompts = {layer: torch.randn(2, 32, generator=generator).requires_grad_() for layer in (0, 2)}
        norms = image.copy_norms()
        image(pixels, Adaptation(prompts=prompts, norms=norms)).square().sum().backward()
        return [one.grad for one in (*prompts.values(), *norms.parameters()) if one.grad is not None]

    kept = gradients()
    calls = []
    hook = image.stack[1].self_attn.q_proj.register_forward_hook(lambda *_: calls.append(1))
    try:
        image.checkpointing = True
        recomputed = gradients()
        assert len(calls) == 2  # once forward, once on the way back
        with torch.no_grad():
            image(pixels)
        assert len(calls) == 3
    finally:
        image.checkpointing = False
        hook.remove()
    assert len(kept) == len(recomputed)
    for one, other in zip(kept, recomputed, strict=True):
        torch.testing.assert_close(one, other)


def test_mistakes_of_the_caller_are_named(image: ImageTower, text: TextTower, noise: Noise, pixels: Tensor) -> None:
    with pytest.raises(ValueError, match="prompts: layer 3 is not one of 0 to 2"):
        image(pixels, Adaptation(prompts={3: noise(1, 32)}))
    with pytest.raises(ValueError, match="branches: layer -1"):
        image(pixels, Adaptation(branches={-1: Branch()}))
    with pytest.raises(ValueError, match="keep: layer 4 is not one of 0 to 3"):
        image.run(image.embed(pixels), keep=[4])
    for wrong in (noise(2, 31), noise(32), noise(3, 2, 32)):
        with pytest.raises(ValueError, match="do not fit"):
            image(pixels, Adaptation(prompts={0: wrong}))
    with pytest.raises(ValueError, match="EOS would not see"):
        text(torch.tensor([[1, 2]]), torch.tensor([1]), Adaptation(prompts={0: noise(1, 24)}, place="end"))
    with pytest.raises(ValueError, match="does not fit into 77"):
        text(torch.zeros(1, 78, dtype=torch.int64), torch.tensor([77]))
