import math
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sketchseek import SketchseekError
from sketchseek.losses.jigsaw import jigsaw_loss
from sketchseek.methods.jigsaw import JigsawSolver, make_puzzles, permutation_table
from sketchseek.methods.tiles import shuffle_tiles


def hamming(a, b):
    return sum(x != y for x, y in zip(a, b, strict=True))


@pytest.fixture(scope="module")
def table():
    return permutation_table()


def test_table_holds_a_hundred_permutations_of_nine_tiles(table):
    assert table.shape == (100, 9)
    assert torch.equal(table.sort(dim=1).values, torch.arange(9).expand(100, 9))


def test_permutations_are_mutually_distant(table):
    distances = [hamming(a, b) for a, b in combinations(table.tolist(), 2)]
    assert min(distances) >= 6
    assert sum(distances) / len(distances) > 8


def test_table_never_changes(table):
    # Solvers already trained name their classes by it.
    assert torch.equal(table, permutation_table())
    assert table[0].tolist() == [1, 2, 6, 7, 3, 0, 8, 5, 4]
    assert table[99].tolist() == [8, 0, 3, 6, 5, 2, 4, 1, 7]
    assert not torch.equal(table, permutation_table(seed=1))


def test_a_shorter_table_is_the_start_of_a_longer_one(table):
    assert torch.equal(permutation_table(count=10), table[:10])


@given(count=st.integers(1, 24), seed=st.integers(0, 1000))
def test_each_choice_is_the_most_distant_one_left(count, seed):
    rows = permutation_table(count, grid=2, seed=seed).tolist()
    everything = permutation_table(24, grid=2).tolist()
    assert len({tuple(row) for row in everything}) == 24
    for number in range(1, count):
        best = max(min(hamming(row, chosen) for chosen in rows[:number]) for row in everything)
        assert min(hamming(rows[number], chosen) for chosen in rows[:number]) == best


@pytest.mark.parametrize(("count", "grid"), [(25, 2), (0, 3), (10, 4), (1, 1)])
def test_impossible_tables_are_refused(count, grid):
    with pytest.raises(SketchseekError, match="jigsaw"):
        permutation_table(count, grid)


def test_puzzles_are_the_rows_they_name(table):
    sketches = torch.randn(6, 3, 45, 45, generator=torch.Generator().manual_seed(0))
    shuffled, order = make_puzzles(sketches, table, torch.Generator().manual_seed(1))
    assert order.shape == (6,)
    assert len(set(order.tolist())) > 1
    assert torch.equal(shuffle_tiles(shuffled, table[order].argsort(dim=-1)), sketches)
    again = make_puzzles(sketches, table, torch.Generator().manual_seed(1))
    assert torch.equal(again[0], shuffled)
    assert torch.equal(again[1], order)


def test_every_row_of_the_table_is_drawn():
    rows = permutation_table(24, grid=2)
    _, order = make_puzzles(torch.zeros(2000, 1, 2, 2), rows, torch.Generator().manual_seed(0))
    assert set(order.tolist()) == set(range(24))


def slow_solver(solver, whole, shuffled, heads):
    """F_js on one pair, from the weights: two tokens, attention head by head, LayerNorm after each residual."""

    def linear(x, weight, bias):
        return torch.stack(
            [sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(weight, bias, strict=True)]
        )

    def layer_norm(x, norm):
        mean = sum(x) / len(x)
        variance = sum((v - mean) ** 2 for v in x) / len(x)
        return (x - mean) / torch.sqrt(variance + norm.eps) * norm.weight + norm.bias

    tokens = [whole, shuffled]
    width = len(whole) // heads
    for layer in solver.layers:
        attention = layer.self_attn
        projected = [linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3) for x in tokens]
        mixed = []
        for query, _, _ in projected:
            parts = []
            for head in range(heads):
                at = slice(head * width, (head + 1) * width)
                powers = [torch.exp((query[at] * key[at]).sum() / math.sqrt(width)) for _, key, _ in projected]
                parts.append(
                    sum(p / sum(powers) * value[at] for p, (_, _, value) in zip(powers, projected, strict=True))
                )
            mixed.append(linear(torch.cat(parts), attention.out_proj.weight, attention.out_proj.bias))
        tokens = [layer_norm(x + y, layer.norm1) for x, y in zip(tokens, mixed, strict=True)]
        hidden = [linear(x, layer.linear1.weight, layer.linear1.bias).clamp(min=0) for x in tokens]
        outputs = [linear(x, layer.linear2.weight, layer.linear2.bias) for x in hidden]
        tokens = [layer_norm(x + y, layer.norm2) for x, y in zip(tokens, outputs, strict=True)]
    return linear((tokens[0] + tokens[1]) / 2, solver.classifier.weight, solver.classifier.bias)


@settings(max_examples=5)
@given(n=st.integers(1, 2), heads=st.sampled_from([1, 2]), permutations=st.integers(1, 5), seed=st.integers(0, 1000))
def test_solver_is_its_description(n, heads, permutations, seed):
    torch.manual_seed(seed)
    solver = JigsawSolver(size=4, permutations=permutations, heads=heads).double().eval()
    inputs = [torch.randn(n, 4, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    expected = torch.stack(
        [slow_solver(solver, whole, shuffled, heads) for whole, shuffled in zip(*inputs, strict=True)]
    )
    logits = solver(*inputs)
    torch.testing.assert_close(logits, expected)
    weight = torch.randn_like(logits)
    parameters = [*inputs, *solver.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad((logits * weight).sum(), parameters),
        torch.autograd.grad((expected * weight).sum(), parameters),
    )


def test_solver_at_the_papers_size():
    solver = JigsawSolver()
    logits = solver(torch.randn(3, 512), torch.randn(3, 512))
    assert logits.shape == (3, 100)
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in solver.named_children()}
    attention, mlp, norms = 4 * 512 * 512 + 4 * 512, 2 * 512 * 2048 + 2048 + 512, 4 * 512
    assert counts == {"layers": 2 * (attention + mlp + norms), "classifier": 512 * 100 + 100}


def test_layers_start_unlike_each_other():
    first, second = (layer.get_parameter("linear1.weight") for layer in JigsawSolver(size=16, heads=2).layers)
    assert not torch.equal(first, second)


def test_pairs_are_solved_one_by_one():
    torch.manual_seed(0)
    solver = JigsawSolver(size=16, heads=2).eval()
    whole, shuffled = torch.randn(4, 16), torch.randn(4, 16)
    together = solver(whole, shuffled)
    alone = torch.cat([solver(whole[i : i + 1], shuffled[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone)


def test_dropout_is_for_training_only():
    torch.manual_seed(0)
    solver = JigsawSolver(size=16, heads=2)
    inputs = torch.randn(4, 16), torch.randn(4, 16)
    assert not torch.equal(solver(*inputs), solver(*inputs))
    solver.eval()
    with torch.no_grad():
        assert torch.equal(solver(*inputs), solver(*inputs))


def test_gradients_reach_the_tower_and_every_weight_through_the_loss():
    torch.manual_seed(0)
    solver = JigsawSolver(size=16, permutations=5, heads=2)
    sketch, positive, negative, shuffled = (torch.randn(6, 16, requires_grad=True) for _ in range(4))
    order = torch.tensor([0, 1, 2, 3, 4, 0])
    own, right, wrong = (solver(x, shuffled) for x in (sketch, positive, negative))
    loss = jigsaw_loss(own, right, wrong, order)
    loss.backward()
    for value in (sketch, positive, negative, shuffled, *solver.parameters()):
        assert value.grad is not None and value.grad.abs().sum() > 0


def test_heads_that_do_not_fit_are_refused():
    with pytest.raises(SketchseekError, match="heads"):
        JigsawSolver(size=20, heads=8)
