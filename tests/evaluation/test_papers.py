import math
from dataclasses import replace
from typing import Any

import pytest

from sketchseek.datasets import known_datasets, known_splits
from sketchseek.evaluation.papers import WARNING, compare, our_names, paper_tables, tables_for
from sketchseek.evaluation.protocols import DISTRACTOR, ProtocolOptions, Task, build_task
from sketchseek.evaluation.subset import parse_subset
from tests.evaluation.trees import dataset_of


def task(setting: ProtocolOptions, **counts: Any) -> Task:
    return build_task(dataset_of("sketchy", known_datasets()["sketchy"].classes, **counts), setting, "zse")


def test_every_table_is_whole_and_of_a_split_and_a_protocol_we_have() -> None:
    assert len({table.id for table in paper_tables()}) == len(paper_tables()) > 10
    for table in paper_tables():
        assert table.split in known_splits()
        assert table.protocol in {"zero-shot", "generalized", "cross", "fine-grained"}
        for _, numbers in table.rows:
            assert len(numbers) == len(table.metrics)
            assert all(number is None or (0 < number < 100 and not math.isnan(number)) for number in numbers)


def test_accuracies_of_paired_sketches_never_stand_beside_hit_rates() -> None:
    for table in paper_tables():
        accuracies = [metric.startswith("Acc@") for metric in table.metrics]
        assert accuracies == [table.protocol == "fine-grained"] * len(table.metrics), table.id


def test_known_numbers_are_where_they_belong() -> None:
    tables = {table.id: dict(table.rows) for table in paper_tables()}
    assert tables["clip-at-sketchy-21"]["CLIP-AT"] == (72.3, 72.5)
    assert tables["splip-quickdraw-30"]["SaA"] == (14.8, None)
    assert tables["dp-clip-fine-grained"]["scaling, rank 768"] == (35.77, 63.90, 75.60)


def test_only_tables_of_the_same_protocol_and_split() -> None:
    found = {table.id for table in tables_for(task(ProtocolOptions("zero-shot", "sketchy-25")))}
    assert found == {"splip-sketchy-25"}
    assert not tables_for(task(ProtocolOptions("zero-shot", "zebra,bat")))


@pytest.mark.parametrize(
    ("metric", "ours"),
    [
        ("mAP@all", ("map@all",)),
        ("mAP@200", ("map@200:voc", "map@200:hits")),
        ("P@100", ("p@100",)),
        ("Acc@5", ("acc@5",)),
    ],
)
def test_papers_names_in_our_words(metric, ours) -> None:
    assert our_names(metric) == ours


def published(task: Task, queries: int, photos: int) -> Task:
    """The same task with as many items as were published."""
    return type(task)(**{**vars(task), "queries": task.queries[:1] * queries, "gallery": task.gallery[:1] * photos})


def test_the_published_sizes_are_comparable_with_the_warning() -> None:
    whole = published(task(ProtocolOptions("zero-shot", "sketchy-21")), 12_694, 12_553)
    assert compare(whole).comparable
    assert compare(whole).sentence == WARNING


def test_other_rankings_and_galleries_are_not_comparable() -> None:
    whole = published(task(ProtocolOptions("zero-shot", "sketchy-21")), 12_694, 12_553)
    assert not compare(whole, look="both").comparable
    assert "uses the gallery" in compare(whole, look="both").sentence
    photos = (*whole.gallery[1:], replace(whole.gallery[0], label=DISTRACTOR))
    assert compare(replace(whole, gallery=photos)).sentence.startswith("Not comparable: 1 distractor")


def test_generalized_sizes_include_the_distractors() -> None:
    whole = published(task(ProtocolOptions("generalized", "sketchy-21")), 12_694, 12_553 + 72_949)
    assert compare(whole).comparable
    assert "variant" in compare(whole).sentence
    other = task(ProtocolOptions("generalized", "sketchy-21", "ocean"))
    assert not compare(other).comparable
    assert "ocean" in compare(other).sentence


def test_support_sketches_do_not_make_another_number_of_queries() -> None:
    whole = published(task(ProtocolOptions("fine-grained", "sketchy-21")), 12_694 - 21, 2_100)
    assert compare(whole, set_aside=21).comparable
    assert not compare(whole).comparable


@pytest.mark.parametrize(
    ("setting", "queries", "photos", "said"),
    [
        (ProtocolOptions("zero-shot", "sketchy-21"), 12_694, 525, "other gallery size (525 photos here, 12,553 there)"),
        (ProtocolOptions("zero-shot", "sketchy-21"), 12_000, 12_553, "other number of queries (12,000 sketches here"),
        (ProtocolOptions("zero-shot", "sketchy-21", subset=parse_subset("every-2-photos")), 12_694, 12_553, "subset"),
        (ProtocolOptions("fine-grained", "sketchy-21", across=True), 12_694, 2_100, "own class"),
    ],
)
def test_everything_else_is_not_comparable_and_says_why(setting, queries, photos, said) -> None:
    found = compare(published(task(setting), queries, photos))
    assert not found.comparable
    assert found.sentence.startswith("Not comparable")
    assert said in found.sentence


def test_an_unknown_published_size_is_said_to_be_unknown() -> None:
    target = dataset_of("tuberlin", known_datasets()["tuberlin"].classes)
    found = compare(build_task(target, ProtocolOptions("cross"), "zse"))
    assert not found.comparable
    assert "not known" in found.sentence
