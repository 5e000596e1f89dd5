from hypothesis import given
from hypothesis import strategies as st

from sketchseek.evaluation.seeded_choice import choose

names = st.lists(st.text(max_size=5), unique=True, max_size=20)


@given(names, st.integers(0, 25), st.integers(0, 3), st.randoms())
def test_neither_order_nor_repeats_of_the_candidates_matter(candidates, count, seed, random) -> None:
    first = choose(candidates, count, seed=seed, purpose="x")
    shuffled = candidates * 2
    random.shuffle(shuffled)
    assert choose(shuffled, count, seed=seed, purpose="x") == first
    assert len(first) == min(count, len(candidates))
    assert set(first) <= set(candidates)


@given(names, st.integers(0, 25))
def test_a_larger_choice_begins_with_the_smaller_one(candidates, count) -> None:
    assert choose(candidates, count + 3, seed=1, purpose="x")[:count] == choose(candidates, count, seed=1, purpose="x")


def test_seed_and_purpose_change_the_choice() -> None:
    candidates = [f"class {i}" for i in range(50)]
    choices = {tuple(choose(candidates, 10, seed=seed, purpose=purpose)) for seed in (0, 1) for purpose in ("a", "b")}
    assert len(choices) == 4


def test_a_choice_never_changes_between_versions() -> None:
    assert choose(["bat", "cow", "door", "tree"], 4, seed=0, purpose="ocean") == ["bat", "door", "tree", "cow"]


def test_names_that_are_not_unicode_can_be_chosen() -> None:
    assert choose(["\udcff", "a"], 2, seed=0, purpose="x")
