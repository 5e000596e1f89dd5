"""docs/extending.md is true: its Python runs, the files it names exist, its method is that of the package."""

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sketchseek.datasets import layouts
from sketchseek.methods.registry import method_class
from sketchseek.pictures import formats
from tests.extension.conftest import PACKAGE

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
RECIPES = dict(part.split("\n", 1) for part in PAGE.split("\n## ")[1:])


def blocks(recipe: str, language: str = "python") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", RECIPES[recipe], re.DOTALL)


def run(recipe: str) -> dict[str, Any]:
    """All names that the Python of a recipe defines."""
    names: dict[str, Any] = {"__name__": "recipe"}
    for code in blocks(recipe):
        exec(compile(code, recipe, "exec"), names)
    return names


def test_all_python_belongs_to_a_recipe_that_is_run() -> None:
    assert [recipe for recipe in RECIPES if blocks(recipe)] == [
        "A method",
        "A loss",
        "A dataset layout",
        "A picture format",
        "A store",
        "A command",
    ]


def test_the_method_is_that_of_the_package(installed: Path) -> None:
    (code,) = blocks("A method")
    assert code == "# my_package/mine.py\n" + (PACKAGE / "my_package" / "mine.py").read_text()
    assert method_class("mine") is method_class("my_package.mine:Mine")


def test_a_method_is_fifteen_lines() -> None:
    code = (PACKAGE / "my_package" / "mine.py").read_text().partition("class Mine(Method):\n")[2]
    assert len([line for line in code.splitlines() if line.strip()]) <= 15


def test_the_loss_is_what_the_slow_version_computes() -> None:
    run("A loss")


def test_a_row_is_a_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "LAYOUTS", layouts.LAYOUTS)
    monkeypatch.chdir(tmp_path)
    for folder in ("drawings", "pictures"):
        (tmp_path / "my-dataset" / folder / "ant").mkdir(parents=True)
    run("A dataset layout")


def test_a_row_is_a_picture_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "FORMATS", formats.FORMATS)
    run("A picture format")


def test_the_store_is_opened_by_its_address(installed: Path) -> None:
    run("A store")


def test_the_command_counts(installed: Path) -> None:
    command = run("A command")["command"]
    result = CliRunner().invoke(command, ["--gallery", "toy://counted"], catch_exceptions=False)
    assert result.output == "0\n"


def test_entry_points_are_those_of_the_package() -> None:
    project = (PACKAGE / "pyproject.toml").read_text()
    for recipe in ("A method", "A store"):
        (points,) = blocks(recipe, "toml")
        assert points in project


def test_files_that_are_named_exist() -> None:
    source = ROOT / "src" / "sketchseek"
    made = {"cli/count.py", "tests/cli/test_count.py", "losses/info_nce.py"}
    templates = {"methods/NAME.py", "tests/methods/test_NAME.py", "training/presets/NAME.toml"}
    for file in set(re.findall(r"`((?:[\w.]+/)+[\w.]*)`", PAGE)) - made - templates:
        places = (ROOT / file, source / file, source / "server" / file, PACKAGE / file)
        assert any(place.exists() for place in places), file
    for page in re.findall(r"\]\((\w+/\w+\.md)\)", PAGE):
        assert (ROOT / "docs" / page).is_file(), page
