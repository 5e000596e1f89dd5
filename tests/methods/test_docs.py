"""docs/research/methods.md matches the code."""

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from sketchseek.methods.registry import METHODS, method_class
from sketchseek.reproduce.rows import rows as reproducible_rows
from sketchseek.training.presets import presets_of

ROOT = Path(__file__).resolve().parents[2]
RESEARCH = ROOT / "docs" / "research"
PAGE = (RESEARCH / "methods.md").read_text(encoding="utf-8")
#: Methods with a table of options; the others share one section.
WITH_TABLE = [name for name in METHODS if f"### `{name}`\n" in PAGE]


def section(title):
    return PAGE.split(f"### {title}\n")[1].split("\n#")[0]


def test_the_first_table_is_the_registry():
    table = PAGE.split("## Where each equation is")[0]
    assert re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE) == list(METHODS)


@pytest.mark.parametrize("name", WITH_TABLE)
def test_every_option_stands_there_with_its_default(name):
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \|", section(f"`{name}`"), re.MULTILINE)
    options = [(field.name, field.default) for field in fields(method_class(name).options_type)]
    assert rows == [
        (option, f'"{default}"' if isinstance(default, str) else str(default)) for option, default in options
    ]


def test_every_option_of_the_baselines_stands_there():
    text = section("Baselines")
    for name in METHODS:
        if name not in WITH_TABLE:
            for field in fields(method_class(name).options_type):
                assert f"`{field.name}`" in text
                if isinstance(field.default, float | int):
                    values = re.findall(rf"`{field.name}` \(([^)]+)\)", text)
                    assert [float(value) for value in values] == [field.default]


def test_the_baselines_are_defined_as_ours():
    """The table says what each adds, and published rows of a name are compared with the method of that name."""
    rows = re.findall(r"^\| `([\w-]+)` \| (B-\w+) \| (.+?) \|", PAGE, re.MULTILINE)
    assert all(len(what.split()) > 3 for *_, what in rows)
    known = {name: method for method, name, _ in rows}
    assert known.keys() == {"B-Lin", "B-FT", "B-MM", "B-IP", "B-Deep", "B-Cond"}
    published = {row.source.rpartition(", ")[2].replace("B-FG-", "B-"): row.method for row in reproducible_rows()}
    assert {name: method for name, method in published.items() if name.startswith("B-")} == known
    assert "a figure of a\nbaseline here is not one of the paper's" in PAGE
    assert "B-MM here is CLIP-AT without trained LayerNorms." in PAGE  # test_clip_at.py proves it


def test_files_that_are_named_exist():
    named = set(re.findall(r"`((?:\w+/)+\w+\.py)`", PAGE))
    assert len(named) > 15
    for file in named:
        assert (ROOT / "src" / "sketchseek" / file).is_file(), file
    for page in re.findall(r"\]\(([\w./]+\.md)", PAGE):
        assert (RESEARCH / page).is_file(), page


def test_names_in_the_equation_tables_exist():
    classes = {kind.__name__: kind for kind in map(method_class, METHODS)}
    named = [(kind, attribute) for kind, attribute in re.findall(r"`(\w+)\.(\w+)`", PAGE) if kind in classes]
    assert {classes[kind].name for kind, _ in named} >= set(WITH_TABLE)
    for kind, attribute in named:
        source = Path(inspect.getfile(classes[kind])).read_text()
        assert f"def {attribute}(" in source or f"self.{attribute} = " in source, attribute


def test_presets_are_those_of_the_page():
    for name in METHODS:
        assert set(presets_of(name)) <= {"default", "paper", "released", "lite"}
