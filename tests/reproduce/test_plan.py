import pytest

from sketchseek.datasets import known_datasets
from sketchseek.errors import SketchseekError
from sketchseek.reproduce import plan as plans
from sketchseek.reproduce.plan import make_plan
from sketchseek.reproduce.rows import find_row
from tests.evaluation.trees import dataset_of


@pytest.fixture
def sample(monkeypatch, tmp_path):
    """All classes of each dataset with few pictures, whatever folder is named."""
    monkeypatch.setattr(plans, "open_dataset", lambda root, name: dataset_of(name, known_datasets()[name].classes))
    return tmp_path


def test_counts_that_a_row_depends_on_are_compared(sample):
    found = make_plan(find_row("clip-at/sketchy-21"), data=sample, depth="names").differing
    assert "42 sketches of sketchy-21:unseen, published 12,694" in found
    assert "105 photos of sketchy-21:unseen, published 12,553" in found
    assert not [one for one in found if "sketchy-25" in one or "basic" in one]
    fine = make_plan(find_row("clip-at/sketchy-21/fine-grained"), data=sample, depth="names").differing
    assert "105 basic photos of sketchy-21:unseen, published 2,100" in fine
    assert not [one for one in fine if one.startswith("105 photos")]


def test_both_datasets_of_a_cross_dataset_row_are_compared(sample):
    row = find_row("clip-at/sketchy25-to-tuberlin-21")
    found = make_plan(row, data=sample, target=sample, depth="names").differing
    assert [one for one in found if "sketchy-25:seen" in one]
    assert [one for one in found if "tuberlin-30:unseen" in one]


def test_missing_classes_are_named(sample, monkeypatch):
    few = known_datasets()["sketchy"].classes[3:]
    monkeypatch.setattr(plans, "open_dataset", lambda root, name: dataset_of(name, few))
    found = make_plan(find_row("clip-at/sketchy-21"), data=sample, depth="names").differing
    assert found[0].startswith("3 classes are missing (airplane, alarm_clock, ant")


def test_triplets_are_those_of_the_data_and_changes_are_recorded(sample):
    row = find_row("clip-at/sketchy-21")
    plan = make_plan(row, data=sample, settings={"epochs": "3", "device": "cpu"}, backbone="other", depth="names")
    assert plan.triplets == 3 * 104 * 2
    assert plan.changes == {"epochs": (60, 3), "backbone": ("openai/clip-vit-base-patch32", "other")}
    assert plan.recipe.device == "cpu"
    assert plan.hours is None
    assert make_plan(row, data=sample, settings={"steps": "5"}, depth="names").triplets == 5 * 64


def test_a_target_is_only_for_cross_dataset_rows(sample):
    with pytest.raises(SketchseekError, match="omit --target"):
        make_plan(find_row("clip-at/sketchy-21"), data=None, target=sample)


def test_the_preset_of_a_row_stays():
    with pytest.raises(SketchseekError, match="the preset belongs to the row"):
        make_plan(find_row("clip-at/sketchy-21"), data=None, settings={"preset": "default"})


def test_a_wrong_key_is_one_sentence():
    with pytest.raises(SketchseekError, match="no key 'epoch'; did you mean epochs"):
        make_plan(find_row("clip-at/sketchy-21"), data=None, settings={"epoch": "3"})
