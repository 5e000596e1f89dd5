from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sketchseek.errors import SketchseekError
from sketchseek.training.errors import TrainingError
from sketchseek.training.recipe import Recipe, changed, make_recipe, parse_settings, read_recipe
from tests.training import toys

Make = Callable[..., Recipe]


def test_a_saved_recipe_is_the_recipe(recipe: Make, tmp_path: Path) -> None:
    one = recipe(lr=3e-5, margin=0.3, plan='pk "x"\n\\', validation_subset="2-photos-per-class", amp="off")
    file = tmp_path / "recipe.toml"
    file.write_text(one.to_toml(), encoding="utf-8")
    assert read_recipe(file) == one
    assert read_recipe(file).to_toml() == one.to_toml()


def test_fingerprint_tells_what_decides_the_result(recipe: Make) -> None:
    one = recipe()
    assert one.fingerprint == replace(one, data="/elsewhere", device="cuda", workers=7, threads=1).fingerprint
    assert one.fingerprint != replace(one, seed=1).fingerprint
    assert one.fingerprint != recipe(margin=0.21).fingerprint


def test_a_key_of_a_later_version_does_not_change_the_fingerprint(recipe: Make) -> None:
    @dataclass(frozen=True)
    class Later(toys.ToyOptions):
        new: float | None = 0.5

    one = recipe(margin=0.3)
    later = replace(one, options=Later(margin=0.3))
    assert later.fingerprint == one.fingerprint
    assert replace(one, options=Later(margin=0.3, new=None)).fingerprint != one.fingerprint


def test_changes_reach_recipe_and_options(recipe: Make) -> None:
    other = changed(recipe(), parse_settings(["epochs=9", "margin=0.5", "epochs=7"]), "--set")
    assert (other.epochs, other.options.margin, other.batch) == (7, 0.5, 8)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"epoch": "3"}, "--set: a recipe of toy has no key 'epoch'; did you mean epochs?"),
        ({"margn": "3"}, "has no key 'margn'; did you mean margin?"),
        ({"zzzzzz": "3"}, "has no key 'zzzzzz'; there are accumulate"),
        ({"epochs": "many"}, "--set: epochs must be a whole number, not 'many'"),
        ({"schedule": "linear"}, "schedule must be one of constant, cosine, not 'linear'"),
        ({"margin": "wide"}, "margin must be a number, not 'wide'"),
        ({"batch": "0"}, "batch must be at least 1, not 0"),
        ({"lr": "0"}, "lr must be more than 0"),
        ({"seed": "-1"}, "seed must be 0 or more"),
        ({"preset": "paper"}, "made from the preset default, and another name would not change its values"),
        ({"accumulate": "3"}, "a batch of 8 does not divide into 3 equal parts"),
    ],
)
def test_a_wrong_value_is_one_sentence(given: dict[str, str], said: str, recipe: Make) -> None:
    with pytest.raises(TrainingError) as error:
        changed(recipe(), given, "--set")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_set_needs_an_equals_sign() -> None:
    with pytest.raises(TrainingError, match="--set takes key=value"):
        parse_settings(["epochs"])


def test_an_unknown_method_is_one_sentence() -> None:
    with pytest.raises(SketchseekError, match="there is no method 'clip-ta': choose clip-at"):
        make_recipe("clip-ta", {"data": "x"}, "test")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("format = 2\n", "has format 2, and this sketchseek reads 1"),
        ("method = ", "cannot be read as a recipe"),
        ("data = 'x'", "must name a method and the data"),
        ("method = 'toy'\ndata = 'x'\nspeed = 3", "has no key 'speed'"),
        ("method = 'toy'\ndata = 'x'\n[options]\nmargin = 'wide'", "margin must be a number"),
    ],
)
def test_a_wrong_file_is_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(text)
    with pytest.raises(TrainingError, match=said):
        read_recipe(file)
    with pytest.raises(TrainingError, match="there is no recipe"):
        read_recipe(tmp_path / "other.toml")


def test_options_may_not_shadow_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Shadowing:
        lr: float = 1.0

    monkeypatch.setattr(toys.Toy, "options_type", Shadowing)
    with pytest.raises(TypeError, match="own names: lr"):
        make_recipe("toy", {"data": "x"}, "test")


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "method = 'clip-at'\ndata = 'd'\nseed = " + "9" * 5000,
        "method = 'clip-at'\ndata = 'd'\nseed = " + "9" * 400,
        "method = 'clip-at'\ndata = 'd'\nlr = " + "9" * 400,
        "method = 'clip-at'\ndata = 'd'\nlr = inf",
        "method = 'clip-at'\ndata = 'd'\ncheckpointing = []",
        "method = 'clip-at'\ndata = 'd'\nepochs = {}",
        "method = 'clip-at'\ndata = 'd'\nbackbone = [[]]",
        "method = ['clip-at']\ndata = 'd'",
        "format = [1]",
        "\0",
    ],
    ids=lambda text: text[-20:],
)
def test_a_recipe_of_a_stranger_is_one_sentence(text: str, tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(text)
    with pytest.raises(TrainingError, match=r"recipe\.toml"):
        read_recipe(file)
