"""Every row of the papers' ablation tables is a few ``--set`` away from the whole method, as methods.md says."""

import re
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from sketchseek.evaluation.papers import paper_tables
from sketchseek.methods.method import Clock, Setting
from sketchseek.training.presets import recipe_from_preset
from sketchseek.training.recipe import parse_settings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "research" / "methods.md").read_text(encoding="utf-8")
LATE = Clock(50, 50, 60)  # where every loss of a method has a weight

#: Rows of papers.toml -> the options. A row that is the whole method has none.
ROWS = {
    "splip": {
        "classification only": "triplet_weight=0 beta=0",
        "triplet only": "alpha=0 beta=0 margin=0.2",
        "both": "beta=0 margin=0.2",
        "+ adaptive margin": "beta=0",
        "+ jigsaw (full)": "",
        "no LayerNorm tuning": "train_norms=false",
        "no B_v": "words_to_image=false",
        "no B_t": "patches_to_words=false",
        "no B_vt": "states_to_image=false",
        "no visual prompts": "words_to_image=false states_to_image=false",
        "no prompt modules": "words_to_image=false states_to_image=false patches_to_words=false",
    },
    "dp-clip": {
        "prompts from 1 sketch + 2 photos": "",
        "prompts from sketches only": "support_sketches=3 support_photos=0",
        "prompts from photos only": "support_sketches=0 support_photos=3",
        "without text-guided scaling": "rank=0",
        **{f"scaling, rank {rank}": f"rank={rank} attention_factor=0.0625" for rank in (16, 64, 256, 768)},
    },
}


def documented() -> dict[str, set[str]]:
    """Method -> the options of the rows of the page's table, where they have a value."""
    table = PAGE.partition("\n## Ablations\n")[2].partition("\n## ")[0]
    found: dict[str, set[str]] = {}
    for paper, options in re.findall(r"^\| ([A-Z][\w-]+) \| .+ \| (.+) \|$", table, re.MULTILINE):
        found.setdefault(paper.lower(), set()).update(re.findall(r"`([^`]*=[^`]*)`", options))
    return found


WHOLE = ("", "attention_factor=0.0625", "rank=16 attention_factor=0.0625")  # as the preset paper has it, at rank 16
#: The setting that has all parts of a method.
SETTINGS: dict[str, Setting] = {"clip-at": "fine-grained", "splip": "category", "dp-clip": "fine-grained"}


def cases() -> list[tuple[str, str]]:
    """Method and options of every row, on the page or in the papers' tables."""
    listed = {method: set(rows.values()) for method, rows in ROWS.items()}
    return sorted((method, one) for method, rows in documented().items() for one in rows | listed.get(method, set()))


def test_every_row_of_the_papers_is_listed():
    for table in paper_tables():
        method = table.id.partition("-ablation")[0] if "ablation" in table.id else "dp-clip"
        if "ablation" in table.id or table.id.startswith("dp-clip"):
            assert {name for name, _ in table.rows} == ROWS[method].keys(), table.id


def test_the_page_names_the_options_of_every_row():
    page = documented()
    assert page.keys() == {"clip-at", "splip", "dp-clip"}
    for method, rows in ROWS.items():
        text = " ".join(page[method])
        for settings in rows.values():
            assert all(one in text or one.startswith("rank=") for one in settings.split()), settings


def trained_by(build, batch_for, method, settings):
    """What is trained, and the losses late in the training; ``settings``: of the preset ``paper``."""
    given = {"data": "x", **parse_settings(settings.split())}
    if method == "splip":
        given["text_cost"] = "batch-mean"  # quicker; the switches are the same
    if method == "dp-clip" and "rank" not in settings:
        given["rank"] = "16"
    recipe = recipe_from_preset(method, "paper", SETTINGS[method], "sketchy", given, "--set")
    built = build(method, recipe.setting, fresh=True, **asdict(recipe.options))
    torch.manual_seed(1)
    losses = built.losses(batch_for(built), LATE)
    total = sum(losses.values())
    total.backward()
    trained = {name: p for name, p in built.named_parameters() if p.requires_grad}
    assert torch.isfinite(total)
    assert any(p.grad is not None and p.grad.any() for p in trained.values())
    return {name: tuple(p.shape) for name, p in trained.items()}, {name: loss.item() for name, loss in losses.items()}


@pytest.fixture(scope="module")
def wholes():
    """What ``trained_by`` gives for each whole method."""
    return {}


@pytest.mark.parametrize(("method", "settings"), cases())
def test_a_row_is_a_recipe_that_trains_and_is_not_the_whole_method(build, batch_for, wholes, method, settings):
    if method not in wholes:
        wholes[method] = trained_by(build, batch_for, method, "")
    found = trained_by(build, batch_for, method, settings)
    assert (found == wholes[method]) == (settings in WHOLE)
