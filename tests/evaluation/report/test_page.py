import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sketchseek.datasets import Dataset, known_splits, open_dataset
from sketchseek.errors import SketchseekError
from sketchseek.evaluation.evaluate import Evaluation, Options, evaluate
from sketchseek.evaluation.protocols import ProtocolOptions
from sketchseek.evaluation.report.details import MAX_CLASSES, TOP, collect_details
from sketchseek.evaluation.report.page import rank_bins, render, write_report
from sketchseek.evaluation.subset import parse_subset
from sketchseek.evaluation.vectors.cache import VectorCache
from tests.evaluation.edges import CategoryEdgeModel, EdgeModel
from tests.evaluation.trees import HOSTILE, make_tree

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Every tag with its attributes, the text, and whether all is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data) -> None:
        self.text += data

    def all(self, tag: str, kind: str = "") -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag and kind in attrs.get("class", "")]


def run(dataset: Dataset, setting: ProtocolOptions, options: Options | None = None, model=None) -> Evaluation:
    with VectorCache(None, pytest.fail) as cache:
        return evaluate(model or EdgeModel(), dataset, setting, cache, options or Options(), lambda *said: None)


def page_of(result: Evaluation, command: str = "sketchseek evaluate") -> tuple[Page, str]:
    text = render(result, collect_details(result), command)
    return Page(text), text


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = make_tree(
        tmp_path_factory.mktemp("data"), ["bat", "cow", "door", HOSTILE], photos=12, sketches=4, extended=2
    )
    return open_dataset(root)


def test_a_category_page_has_what_it_must(dataset) -> None:
    result = run(dataset, ProtocolOptions("zero-shot", "all"))
    page, _ = page_of(result)
    means = result.main.scores.means()
    for name in result.headline():
        assert name in page.text
        assert f"{100 * means[name]:.2f}" in page.text
    assert result.intervals is not None
    low, high = result.intervals["map@all"]
    assert f"{100 * low:.2f} – {100 * high:.2f}" in page.text
    charts = [svg["aria-label"] for svg in page.all("svg")]
    assert charts == ["Precision-recall curve", "Confusion of classes"]
    assert "eleven recall levels" in page.text
    assert len(page.all("div", "fill")) == 4  # one bar a class
    assert len(page.all("figure", "query")) == 8  # best and worst of each class
    assert len(page.all("figure", "hit")) + len(page.all("figure", "miss")) == 8 * TOP
    assert page.text.count("✓") - 1 == len(page.all("figure", "hit"))  # once more in the key
    assert page.text.count("✗") - 1 == len(page.all("figure", "miss"))
    assert len(page.all("polyline")) == 2  # both galleries
    assert result.model["identity"] in page.text
    assert "Published figures" not in page.text


def test_frames_follow_the_ranking(dataset) -> None:
    result = run(dataset, ProtocolOptions("zero-shot", "all"))
    page, _ = page_of(result)
    shown = [attrs["alt"].startswith("right") for attrs in page.all("img") if attrs["alt"][:5] in ("right", "wrong")]
    found = collect_details(result)
    expected = [
        right for one in found.lists for listed in (one.best, one.worst) if listed for _, right in listed.photos
    ]
    assert shown == expected
    for one in found.lists:
        assert one.worst is not None
        assert one.best.precision >= one.worst.precision
        own = [query for query in result.main.task.queries if query.label == one.best.query.label]
        column = result.main.scores.metrics.index("map@all")
        values = [result.main.scores.values[result.main.task.queries.index(query), column] for query in own]
        assert (one.best.precision, one.worst.precision) == (max(values), min(values))


def test_a_fine_grained_page_has_ranks_and_the_missed_photo(dataset) -> None:
    result = run(dataset, ProtocolOptions("fine-grained", "all"))
    page, _ = page_of(result)
    assert [svg["aria-label"] for svg in page.all("svg")] == ["Ranks of the right photo"]
    assert len(page.all("rect", "bar")) == 12
    found = collect_details(result)
    late = [listed for one in found.lists for listed in (one.best, one.worst) if listed and listed.rank > TOP]
    assert len(page.all("figure", "sought")) == len(late)
    for listed in late:
        assert listed.missed is not None
        assert listed.missed.instance == listed.query.instance
    assert "mean_rank" in page.text
    across, _ = page_of(run(dataset, ProtocolOptions("fine-grained", "all", across=True)))
    assert "Confusion of classes" in across.text


def test_nothing_is_fetched_and_nothing_runs(dataset) -> None:
    page, text = page_of(run(dataset, ProtocolOptions("zero-shot", "all")))
    assert not re.search(r"https?:|//[a-z]|url\(|@import", re.sub(r"base64,[A-Za-z0-9+/=]*", "", text))
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in page.tags}
    for tag, attrs in page.tags:
        assert not any(name.startswith("on") for name in attrs), (tag, attrs)
        if tag == "img":
            assert attrs["src"].startswith("data:image/webp;base64,")
    assert not page.all("b", "")[4:]  # only the four tiles: no class name became a tag


def test_hostile_names_are_text(dataset) -> None:
    page, text = page_of(
        run(dataset, ProtocolOptions("zero-shot", "all")), command=f"sketchseek {HOSTILE}<script>alert(1)</script>"
    )
    assert HOSTILE.replace("_", " ") in page.text
    assert "<script>alert(1)</script>" in page.text
    assert "<script" not in text
    assert any(HOSTILE in attrs.get("title", "") for attrs in page.all("img"))


def test_thumbnails_are_small_pictures_and_the_page_is_bounded(dataset) -> None:
    page, text = page_of(run(dataset, ProtocolOptions("zero-shot", "all")))
    for attrs in page.all("img"):
        with Image.open(io.BytesIO(base64.b64decode(attrs["src"].partition(",")[2]))) as image:
            assert (image.format, image.size) == ("WEBP", (96, 96))
    assert len(text) < 2_000_000


def test_many_classes_show_the_best_and_the_worst(tmp_path: Path) -> None:
    root = make_tree(tmp_path, [f"class {i}" for i in range(MAX_CLASSES + 5)], photos=2, sketches=1)
    result = run(open_dataset(root), ProtocolOptions("zero-shot", "all"), Options(resamples=0))
    page, _ = page_of(result)
    found = collect_details(result)
    assert len(found.lists) == MAX_CLASSES
    assert all(one.worst is None for one in found.lists)
    assert "12 best and the 12 worst of 29 classes" in page.text
    column = result.main.scores.values[:, result.main.scores.metrics.index("map@all")]
    shown = sorted(one.best.precision for one in found.lists)
    assert shown == sorted([*np.sort(column)[:12], *np.sort(column)[-12:]])


def test_classes_without_queries_are_one_column_and_named_among_the_pairs(dataset) -> None:
    root = dataset.root
    (root / "splits.json").write_text(json.dumps({"train": ["bat", "cow"], "unseen": ["door"]}))
    try:
        result = run(open_dataset(root), ProtocolOptions("generalized"))
    finally:
        (root / "splits.json").unlink()
    found = collect_details(result).confusion
    assert found is not None
    assert found.others == ("bat", "cow")
    columns, shares = found.collapsed()
    assert columns == ["door", "other classes"]
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    page, _ = page_of(result)
    assert "other classes" in page.text


def test_subset_broken_and_transductive_are_said_at_the_top(tmp_path: Path) -> None:
    root = make_tree(tmp_path, ["cow", "door"], photos=6, sketches=6)
    (root / "photo/cow/p0.png").write_text("no picture")
    dataset = open_dataset(root)
    setting = ProtocolOptions("fine-grained", "all", subset=parse_subset("5-sketches-per-class"))
    page, _ = page_of(run(dataset, setting, Options(skip_broken=True, transductive=True), CategoryEdgeModel()))
    top = page.text.partition("All numbers")[0]
    assert "Only 5-sketches-per-class was evaluated" in top
    assert "1 picture could not be opened" in top
    assert "Transductive" in top
    assert "photo/cow/p0.png" in page.text
    assert "Support pictures of 2 classes (transductive" in page.text


def papers_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, int] | None) -> Page:
    unseen = known_splits()["sketchy-25"].unseen
    dataset = open_dataset(make_tree(tmp_path, unseen, photos=1, sketches=1), "sketchy")
    if sizes:
        published = {"unseen": {"sketches": [sizes[0]], "photos": [sizes[1]]}}
        known = known_splits()["sketchy-25"]
        monkeypatch.setattr(
            "sketchseek.evaluation.papers.known_splits",
            lambda: {"sketchy-25": known.__class__(**{**vars(known), "published": published})},
        )
    return page_of(run(dataset, ProtocolOptions("zero-shot", "sketchy-25"), Options(resamples=0)))[0]


def test_paper_tables_that_cannot_be_compared_say_so(tmp_path, monkeypatch) -> None:
    page = papers_page(tmp_path, monkeypatch, None)
    assert "Not comparable: other gallery size (25 photos here, 17,101 there)." in page.text
    assert "says nothing about the methods" in page.text
    assert "SpLIP (Singha et al., ECCV 2024)" in page.text
    assert "80.2" in page.text
    assert not page.all("tr", "ours")
    assert all("open" not in attrs for attrs in page.all("details"))


def test_paper_tables_of_the_same_sizes_stand_beside_ours_with_the_warning(tmp_path, monkeypatch) -> None:
    page = papers_page(tmp_path, monkeypatch, (25, 25))
    assert "says nothing about the methods" in page.text
    assert len(page.all("tr", "ours")) == 1
    assert "edge directions, here (map@all, p@100)" in page.text


@pytest.mark.parametrize("ranked", [1, 2, 25, 30, 31, 100, 2100, 54_151])
def test_rank_bins_hold_every_rank_once(ranked: int) -> None:
    ranks = np.arange(1, ranked + 1)
    bins = rank_bins(ranks, ranked)
    assert sum(count for _, count, _ in bins) == ranked
    assert all(count == pytest.approx(chance) for _, count, chance in bins)
    assert len(bins) <= 30
    assert bins[0][0] == "1"
    assert bins[-1][0].endswith(str(ranked))


def test_a_report_that_cannot_be_written_is_one_sentence(dataset, tmp_path: Path) -> None:
    result = run(dataset, ProtocolOptions("zero-shot", "all"), Options(resamples=0))
    with pytest.raises(SketchseekError, match="cannot be written"):
        write_report(result, tmp_path / "no" / "folder.html", "x")
    write_report(result, tmp_path / "page.html", "x")
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
