"""What is wrong with a method or a store of another package is one sentence."""

from pathlib import Path

import pytest

from sketchseek.errors import SketchseekError
from sketchseek.gallery import Gallery
from sketchseek.methods.registry import METHODS, method_class
from sketchseek.training.presets import presets_of, recipe_from_preset
from sketchseek.training.recipe import read_recipe

BROKEN = """
from dataclasses import dataclass
from my_package.mine import Mine
from sketchseek.methods.method import Method

class Half(Method):
    name = "half"
    def encode(self, pixels, modality): ...

@dataclass(frozen=True)
class Open:
    rank: int

class NoDefault(Mine):
    options_type = Open

class NoRecord(Mine):
    options_type = dict
"""


@pytest.fixture(autouse=True)
def modules(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd_methods.py").write_text(BROKEN)
    (tmp_path / "odd_names.py").write_text("undefined")
    monkeypatch.syspath_prepend(tmp_path)


def test_a_method_is_found_by_name_and_by_class() -> None:
    assert method_class("mine") is method_class("my_package.mine:Mine")
    assert method_class("mine").name == "mine"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mien", "there is no method 'mien': choose mine"),
        ("Clip-At", "there is no method 'Clip-At': choose clip-at"),
        ("nowhere.mine:Mine", "importing nowhere.mine failed (ModuleNotFoundError: No module named 'nowhere')"),
        ("odd_names:Mine", "importing odd_names failed (NameError: name 'undefined' is not defined)"),
        ("my_package.mine:Mien", "my_package.mine has no Mien; did you mean Mine?"),
        ("my_package.mine:", "does not name a method: write module:Name"),
        (":Mine", "does not name a method: write module:Name"),
        (".mine:Mine", "does not name a method: write module:Name"),
        ("my_package.mine:MineOptions", "my_package.mine:MineOptions is not a method: derive a class from"),
        ("odd_methods:Half", "is not complete: define options_type, groups, losses in its class"),
        ("odd_methods:NoDefault", "has options without a default: give one to rank"),
        ("odd_methods:NoRecord", "the options_type of odd_methods:NoRecord must be a frozen dataclass"),
    ],
)
def test_what_is_wrong_with_a_method_is_one_sentence(name: str, said: str) -> None:
    with pytest.raises(SketchseekError) as error:
        method_class(name)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("method", ["gone", "gone_package.mine:Mine"])
def test_a_run_folder_without_its_package_names_both(method: str, tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(f"method = '{method}'\ndata = 'x'\n")
    with pytest.raises(SketchseekError) as error:
        read_recipe(file)
    assert str(error.value).startswith(f"{file}: ")
    assert method in str(error.value)
    assert "package" in str(error.value)


def test_presets_come_from_the_class() -> None:
    assert set(presets_of("mine")) == {"default", "quick"}
    given = {"data": "x"}
    default = recipe_from_preset("mine", "default", "category", "custom", given, "--set")
    assert (default.epochs, default.options.margin) == (60, 0.2)
    quick = recipe_from_preset("mine", "quick", "category", "custom", given, "--set")
    assert (quick.epochs, quick.options.margin) == (2, 0.3)
    assert recipe_from_preset("mine", "quick", "fine-grained", "custom", given, "--set").options.margin == 0.2


def test_what_ships_cannot_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "sketchseek.methods.registry.registered", lambda group: dict.fromkeys(METHODS, "my_package.mine:Mine")
    )
    assert method_class("zero-shot").__module__.startswith("sketchseek.")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("nowhere:open_store", "the store nowhere:open_store cannot be loaded, because importing nowhere failed"),
        ("my_package.memory:open_stor", "my_package.memory has no open_stor; did you mean open_store?"),
        ("my_package.memory:GALLERIES", "is not a function that opens a gallery"),
    ],
)
def test_what_is_wrong_with_a_store_is_one_sentence(value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sketchseek.gallery.stores.registered", lambda group: {"odd": value})
    with pytest.raises(SketchseekError) as error:
        Gallery.open("odd://here")
    assert said in str(error.value)


def test_an_unknown_scheme_names_the_nearest() -> None:
    with pytest.raises(SketchseekError, match=r"no store is registered for toi://; .* toy://"):
        Gallery.open("toi://here")


@pytest.mark.parametrize("verb", ["verify", "rebuild", "current_model"])
def test_what_a_store_leaves_out_is_said(verb: str) -> None:
    with Gallery.open("toy://here") as gallery, pytest.raises(SketchseekError, match="the store of toy://here cannot"):
        getattr(gallery, verb)()
