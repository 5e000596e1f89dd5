"""The presets are the numbers of the papers and of the released codes."""

import re
from pathlib import Path

import pytest

from sketchseek.errors import SketchseekError
from sketchseek.evaluation.papers import paper_tables
from sketchseek.methods.registry import METHODS
from sketchseek.training import presets
from sketchseek.training.presets import presets_of, recipe_from_preset

CASES = [
    (method, preset, setting)
    for method in METHODS
    for preset, table in presets_of(method).items()
    for setting in ("category", "fine-grained")
    if table.get("only", setting) == setting
]


def recipe(method, preset, setting="category"):
    return recipe_from_preset(method, preset, setting, "sketchy", {"data": "x"}, "test")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_default_and_a_paper_preset(method):
    assert {"default", "paper"} <= set(presets_of(method))


@pytest.mark.parametrize(("method", "preset", "setting"), CASES)
def test_every_preset_makes_a_recipe(method, preset, setting):
    assert recipe(method, preset, setting).preset == preset


@pytest.mark.parametrize(("method", "preset", "setting"), CASES)
def test_published_figures_are_of_all_seen_classes_in_float32(method, preset, setting):
    one = recipe(method, preset, setting)
    held_out = (one.classes, one.validation, one.amp)
    if preset in ("paper", "released") and method != "zero-shot":
        assert held_out == ("seen", "none", "off")
        assert one.sketch_fit == one.photo_fit == "letter-box"
    elif method != "zero-shot":
        assert held_out == ("train", "val", "auto")


@pytest.mark.parametrize("method", ["clip-at", "splip", "dp-clip"])
def test_the_preset_of_a_paper_says_which_figure_it_should_give(method):
    """The figures of the comment are those that evaluation shows beside ours."""
    file = Path(presets.__file__).parent / "presets" / f"{method}.toml"
    comment = file.read_text(encoding="utf-8").split("\n[paper]")[0].rpartition("\n\n")[2].replace("\n# ", " ")
    said = {float(number) for number in re.findall(r"\d+\.\d+", comment)}
    rows = [row for table in paper_tables() for row in table.rows]
    assert said
    assert said <= {value for name, row in rows if name.lower() == method or "rank 768" in name for value in row}


def test_released_codes_have_presets_for_their_setting_alone():
    for method, other in (("clip-at", "fine-grained"), ("dp-clip", "category")):
        with pytest.raises(SketchseekError, match=f"released of {method} .* alone: choose that setting"):
            recipe(method, "released", other)


def test_clip_at_as_published_and_as_released():
    paper, released = recipe("clip-at", "paper"), recipe("clip-at", "released")
    assert (paper.batch, paper.epochs, paper.options.norm_lr, paper.options.prompt_lr) == (64, 60, 1e-5, 1e-5)
    assert (paper.options.margin, paper.options.class_weight, paper.options.encoders) == (0.3, 0.5, "paper")
    assert (paper.options.delta_weight, paper.options.delta_sorted, paper.options.delta_tau) == (0.1, False, 1.0)
    assert (released.batch, released.epochs) == (192, 2000)
    assert (released.options.norm_lr, released.options.prompt_lr) == (1e-6, 1e-4)
    assert (released.options.margin, released.options.class_weight) == (0.2, 0.0)
    assert released.options.encoders == "shared-norms"
    assert released.options.forgotten


def test_splip_as_published():
    paper = recipe("splip", "paper")
    assert (paper.batch, paper.epochs, paper.options.block_lr, paper.options.norm_lr) == (192, 60, 1e-3, 1e-3)
    assert paper.options.text_cost == "per-image"


def test_dp_clip_as_published_and_as_released():
    paper, released = recipe("dp-clip", "paper", "fine-grained"), recipe("dp-clip", "released", "fine-grained")
    assert (paper.options.rank, released.options.rank, released.options.attention_factor) == (768, 16, 1 / 16)
    assert paper.options.attention_factor == 1 / 16  # the rank's best figure was reached with it
    assert (paper.options.hard_clip, released.options.hard_clip) == (True, False)
    for one in (paper, released):
        assert (one.batch, one.epochs, one.options.margin, one.options.local_weight) == (64, 60, 0.15, 0.1)
        assert (one.options.module_lr, one.options.norm_lr) == (1e-5, 1e-6)
