import tomllib

import pytest

from sketchseek.methods.registry import METHODS
from sketchseek.training import presets
from sketchseek.training.errors import TrainingError

TOY = tomllib.loads(
    """
[default]
batch = 8
[paper]
batch = 16
margin = 0.3
[paper.category]
margin = 0.4
epochs = 5
[paper.category.tuberlin]
epochs = 6
[paper.sketchy]
batch = 24
"""
)


@pytest.fixture(autouse=True)
def toy_presets(monkeypatch: pytest.MonkeyPatch) -> None:
    known = presets.presets_of
    monkeypatch.setattr(presets, "presets_of", lambda method: TOY if method == "toy" else known(method))


def test_inner_tables_overrule_outer_ones() -> None:
    values = presets.preset_values
    assert values("toy", "paper", "fine-grained", "custom") == {"batch": 16, "margin": 0.3}
    assert values("toy", "paper", "category", "custom") == {"batch": 16, "margin": 0.4, "epochs": 5}
    assert values("toy", "paper", "category", "tuberlin") == {"batch": 16, "margin": 0.4, "epochs": 6}
    assert values("toy", "paper", "category", "sketchy") == {"batch": 24, "margin": 0.4, "epochs": 5}


def test_what_is_given_overrules_the_preset() -> None:
    given = {"data": "x", "margin": "0.9"}
    recipe = presets.recipe_from_preset("toy", "paper", "category", "tuberlin", given, "--set")
    assert (recipe.options.margin, recipe.epochs, recipe.preset, recipe.setting) == (0.9, 6, "paper", "category")


def test_an_unknown_preset_is_one_sentence() -> None:
    with pytest.raises(TrainingError, match="toy has no preset 'papr': choose paper"):
        presets.preset_values("toy", "papr", "category", "custom")


def test_a_wrong_key_in_a_preset_names_the_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets, "presets_of", lambda method: {"default": {"bach": 3}})
    with pytest.raises(TrainingError, match=r"^preset default of toy: .* did you mean batch"):
        presets.recipe_from_preset("toy", "default", "category", "custom", {"data": "x"}, "--set")


@pytest.mark.parametrize("method", [name for name in METHODS if name != "toy"])
@pytest.mark.parametrize("setting", ["category", "fine-grained"])
@pytest.mark.parametrize("dataset", ["sketchy", "tuberlin", "quickdraw", "custom"])
def test_every_shipped_preset_makes_a_recipe(method: str, setting: str, dataset: str) -> None:
    for preset, table in presets.presets_of(method).items():
        if table.get("only", setting) != setting:
            with pytest.raises(TrainingError, match=f"the preset {preset} of {method} has values for .* alone"):
                presets.preset_values(method, preset, setting, dataset)  # type: ignore[arg-type]
            continue
        recipe = presets.recipe_from_preset(method, preset, setting, dataset, {"data": "x"}, "--set")  # type: ignore[arg-type]
        assert recipe.preset == preset
