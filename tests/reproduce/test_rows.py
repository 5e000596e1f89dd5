"""The list fits the papers' tables, the datasets and the presets."""

import pytest

from sketchseek.datasets import known_splits
from sketchseek.errors import SketchseekError
from sketchseek.evaluation.papers import paper_tables
from sketchseek.methods.registry import METHODS, method_class
from sketchseek.reproduce.plan import make_plan
from sketchseek.reproduce.rows import SAMPLE, Cost, Row, cost, find_row, origins, published_triplets, rows

PUBLISHED = [row for row in rows() if row.status == "published"]


def ids(row: Row) -> str:
    return row.id


def test_names_are_unique_and_begin_with_method_and_split():
    names = [row.id for row in rows()]
    assert len(set(names)) == len(names)
    for row in PUBLISHED:
        assert row.id.split("/")[:2] == [row.method, row.split]


@pytest.mark.parametrize("row", rows(), ids=ids)
def test_a_row_can_be_planned(row):
    assert row.method in METHODS
    assert row.setting in method_class(row.method).settings
    plan = make_plan(row, data=None)
    assert plan.recipe.setting == row.setting
    assert not plan.changes
    assert row.figures and all(0 < value < 100 for value in row.figures.values())
    assert {row.data, row.target} - {None} <= origins().keys()
    if row.status == "published":
        # as the papers: all seen classes of this very split, nothing held out, in float32
        assert plan.recipe.classes == f"{row.source_split}:seen"
        assert (plan.recipe.validation, plan.recipe.amp) == ("none", "off")
        assert plan.recipe.dataset == row.data == known_splits()[row.source_split].dataset


def test_no_row_of_ours_in_the_papers_main_tables_is_left_out():
    """Of the methods that are here; ablations are not main tables, and SpLIP's tables repeat CLIP-AT's own figures."""
    there = {(row.protocol, row.split, tuple(row.figures.values())) for row in PUBLISHED}
    for table in paper_tables():
        if "ablation" in table.id:
            continue
        for name, values in table.rows:
            if name in ("CLIP-AT", "SpLIP") or name.startswith(("B-", "scaling")):
                assert (table.protocol, table.split, values) in there, (table.id, name)


def test_known_figures_are_where_they_belong():
    row = find_row("clip-at/sketchy-21")
    assert (row.figures, row.preset) == ({"mAP@200": 72.3, "P@200": 72.5}, "paper")
    assert row.names("mAP@200") == ("map@200:voc", "map@200:hits")
    assert find_row("dp-clip/sketchy-21/fine-grained").figures["Acc@1"] == 35.77
    assert find_row("dp-clip/sketchy-21/fine-grained/rank-64").recipe_values()["rank"] == 64
    assert find_row("dp-clip/sketchy-21/fine-grained/rank-16").preset == "released"


def test_only_dp_clip_is_measured_as_its_authors_code_does():
    assert {row.method for row in rows() if row.transductive} == {"dp-clip"}


def test_cross_dataset_rows_train_on_one_dataset_and_search_in_another():
    row = find_row("splip/sketchy25-to-quickdraw-11")
    assert (row.data, row.target, row.source_split) == ("sketchy", "quickdraw", "sketchy-25")
    options = row.protocol_options()
    assert (options.name, options.classes, options.source) == ("cross", "quickdraw-30", "sketchy-25")
    assert [row.target for row in PUBLISHED if row.protocol != "cross"].count(None) == len(PUBLISHED) - 4


def test_a_mistyped_row_gets_a_suggestion():
    with pytest.raises(SketchseekError, match="there is no row 'clipat/sketchy-21': did you mean clip-at/sketchy-21"):
        find_row("clipat/sketchy-21")


def test_hours_follow_from_operations_and_triplets():
    row = find_row("clip-at/sketchy-21")
    assert published_triplets(row) == 60 * 57_587
    known = Cost("a GPU", 10.0, 0.5, {"clip-at/category/paper": 0.1}, {})
    assert known.hours(row, 36_000) == pytest.approx(0.2)  # 3,600 TFLOP at 5 TFLOP/s
    assert known.hours(row, None) is None
    assert known.hours(find_row("splip/sketchy-21"), 36_000) is None
    every_class = Cost("a GPU", 10.0, 0.5, {"splip/category/paper": 0.1}, {"splip/category/paper": 0.01})
    assert every_class.hours(find_row("splip/sketchy-21"), 36_000) == pytest.approx(0.2 * (0.1 + 104 * 0.01) / 0.1)
    assert find_row("splip/sketchy25-to-tuberlin-21").seen_classes == 100
    assert known.hours(find_row("dp-clip/sketchy-21/fine-grained/rank-64"), 36_000) is None


def test_hours_are_not_invented_where_no_size_was_published():
    assert published_triplets(find_row("clip-at/quickdraw-30")) is None
    assert set(cost().tflop_per_triplet) <= {f"{row.method}/{row.setting}/{row.preset}" for row in rows()}


def test_our_rows_say_what_their_figures_are_of():
    for row in rows():
        assert (row.split == SAMPLE) == (row.status == "ours") == (row.sizes is not None) == bool(row.hashes)
        groups = {one.classes for one in row.hashes}
        assert groups == ({"train", "val", "unseen"} if row.trains else {"unseen"}) or row.status == "published"


@pytest.mark.data
def test_the_development_data_is_that_of_our_figures(data_root):
    for name in ("clip-at/photoclip", "zero-shot/default"):
        plan = make_plan(find_row(name), data=data_root / "sketchy")
        assert plan.data is not None
        assert plan.differing == ()
        assert {one.classes for one in plan.data.hashes if one.files} == {one.classes for one in find_row(name).hashes}
