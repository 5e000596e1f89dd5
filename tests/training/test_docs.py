"""``docs/research/training.md`` names every key with its default, every file and every method."""

from dataclasses import fields
from pathlib import Path

from sketchseek.methods.registry import METHODS
from sketchseek.training import files
from sketchseek.training.recipe import Recipe

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "research" / "training.md").read_text(encoding="utf-8")


def test_every_key_stands_in_the_table_with_its_default() -> None:
    rows = [[cell.strip() for cell in line.split("|")] for line in PAGE.splitlines() if line.startswith("| `")]
    shown = {row[1].strip("`"): row[2] for row in rows}
    of_the_command = {"method", "data", "options", "backbone", "preset"}
    for field in fields(Recipe):
        if field.name not in of_the_command:
            default = "" if field.default is None else str(field.default).lower().removesuffix(".0")
            assert shown[field.name] == default, field.name


def test_every_file_of_a_run_folder_is_explained() -> None:
    for name in (files.RECIPE, files.ADAPTER, files.STATE, files.LOG, files.CURVES, files.CARD):
        assert f"| `{name}` |" in PAGE


def test_every_method_is_named() -> None:
    assert not [name for name in METHODS if name != "toy" and f"`{name}`" not in PAGE]
