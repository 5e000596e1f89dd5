import json
import re
from math import fsum
from pathlib import Path

import numpy as np
import pytest

from sketchseek.datasets import Dataset, Drawing, Photo, known_splits, open_dataset
from sketchseek.errors import SketchseekError
from sketchseek.evaluation import evaluate as evaluate_module
from sketchseek.evaluation.bootstrap import bootstrap_interval
from sketchseek.evaluation.evaluate import Evaluation, Options, evaluate
from sketchseek.evaluation.protocols import ProtocolOptions
from sketchseek.evaluation.subset import parse_subset
from sketchseek.evaluation.vectors.cache import VectorCache
from sketchseek.evaluation.vectors.category import Category
from sketchseek.model import Model
from sketchseek.neighbours import POOL
from sketchseek.pictures import load_photo, load_sketch
from tests.evaluation.edges import CategoryEdgeModel, EdgeModel
from tests.evaluation.oracle import looked_again, oracle, ranked, steps
from tests.evaluation.trees import make_tree

CLASSES = ["bat", "cow", "door", "tree"]
SPLITS = {"train": ["bat"], "val": ["tree"], "unseen": ["cow", "door"]}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = make_tree(tmp_path_factory.mktemp("data"), CLASSES, photos=4, sketches=5, extended=2)
    (root / "splits.json").write_text(json.dumps(SPLITS))
    return open_dataset(root)


def run(
    dataset: Dataset, setting: ProtocolOptions, options: Options | None = None, model: Model | None = None
) -> Evaluation:
    with VectorCache(None, pytest.fail) as cache:
        return evaluate(model or EdgeModel(), dataset, setting, cache, options or Options(), lambda *said: None)


def slow_metrics(
    dataset, queries, photos, right, ks, seen=lambda query, photo: True, look="direct"
) -> dict[str, float]:
    """Encode one by one, compare all, sort, walk down the list."""
    model = EdgeModel()
    drawn = [model.encode_sketches([load_sketch(dataset.file(query))])[0] for query in queries]
    shown = [model.encode_photos([load_photo(dataset.file(photo))])[0] for photo in photos]
    rows = []
    for query, vector in zip(queries, drawn, strict=True):
        own = [i for i, photo in enumerate(photos) if seen(query, photo)]
        scores = [steps(vector, shown[i]) for i in own]
        if look != "direct":
            scores = looked_again(scores, np.array([shown[i] for i in own]), vector, look, POOL)
        rows.append(oracle(ranked(scores, [right(query, photos[i]) for i in own]), ks))
    return {name: fsum(row[name] for row in rows) / len(rows) for name in rows[0]}


def same_class(query: Drawing, photo: Photo) -> bool:
    return query.label == photo.label


def same_instance(query: Drawing, photo: Photo) -> bool:
    return query.instance == photo.instance


@pytest.mark.parametrize("variant", ["zse", "dedup"])
@pytest.mark.parametrize(
    ("protocol", "asked", "shown"),
    [("zero-shot", {"cow", "door"}, {"cow", "door"}), ("generalized", {"cow", "door"}, set(CLASSES))],
)
def test_category_protocols_equal_the_slow_way(dataset, protocol, asked, shown, variant) -> None:
    result = run(dataset, ProtocolOptions(protocol), Options(gallery=variant, ks=(1, 3, 100)))
    queries = [query for query in dataset.sketches if query.label in asked]
    photos = [photo for photo in dataset.photos if photo.label in shown and (variant == "zse" or not photo.extended)]
    expected = slow_metrics(dataset, queries, photos, same_class, (1, 3, 100))
    found = result.to_json()
    assert found["metrics"] == pytest.approx(expected, rel=1e-12)
    assert (found["queries"], found["gallery"]) == (len(queries), len(photos))
    other = run(
        dataset, ProtocolOptions(protocol), Options(gallery="dedup" if variant == "zse" else "zse", ks=(1, 3, 100))
    )
    assert found["other_gallery"]["metrics"] == other.to_json()["metrics"]
    assert found["other_gallery"]["gallery"] == len(other.main.task.gallery)


def test_cross_dataset_equals_the_slow_way(dataset) -> None:
    # cow and door are among the seen classes of Sketchy-25; a class of no published dataset is not
    with pytest.raises(SketchseekError, match="every class"):
        run(dataset, ProtocolOptions("cross"))
    result = run(dataset, ProtocolOptions("cross", "tree,cow,bat"), Options(ks=(2,)))
    assert result.main.task.classes == ("tree",)
    queries = [query for query in dataset.sketches if query.label == "tree"]
    photos = [photo for photo in dataset.photos if photo.label == "tree"]
    assert result.main.scores.means() == pytest.approx(slow_metrics(dataset, queries, photos, same_class, (2,)))


@pytest.mark.parametrize("across", [False, True])
def test_fine_grained_equals_the_slow_way(dataset, across) -> None:
    result = run(dataset, ProtocolOptions("fine-grained", "all", across=across))
    photos = [photo for photo in dataset.photos if not photo.extended]
    seen = (lambda query, photo: True) if across else same_class
    expected = slow_metrics(dataset, dataset.sketches, photos, same_instance, (1, 5, 10), seen)
    found = result.to_json()
    assert found["metrics"] == pytest.approx(expected, rel=1e-12)
    assert {"acc@1", "acc@5", "acc@10", "mean_rank"} == set(result.headline())
    assert found["other_gallery"] is None


@pytest.mark.parametrize("look", ["picture", "both", "kind"])
def test_a_look_equals_the_slow_way_and_is_labelled(dataset, look) -> None:
    result = run(dataset, ProtocolOptions("zero-shot"), Options(gallery="dedup", ks=(1, 3), look=look))
    queries = [query for query in dataset.sketches if query.label in ("cow", "door")]
    photos = [photo for photo in dataset.photos if photo.label in ("cow", "door") and not photo.extended]
    found = result.to_json()
    assert found["metrics"] == pytest.approx(slow_metrics(dataset, queries, photos, same_class, (1, 3), look=look))
    assert (found["look"], found["uses_gallery"]) == (look, True)
    assert result.conditions() == [f"look {look}: uses the gallery"]


@pytest.mark.parametrize("across", [False, True])
def test_a_look_compares_the_photos_that_fine_grained_ranks(dataset, across) -> None:
    result = run(dataset, ProtocolOptions("fine-grained", "all", across=across), Options(look="both"))
    photos = [photo for photo in dataset.photos if not photo.extended]
    seen = (lambda query, photo: True) if across else same_class
    expected = slow_metrics(dataset, dataset.sketches, photos, same_instance, (1, 5, 10), seen, "both")
    assert result.to_json()["metrics"] == pytest.approx(expected)


def test_the_direct_ranking_is_the_default_and_has_no_label(dataset) -> None:
    result = run(dataset, ProtocolOptions("zero-shot"))
    found = result.to_json()
    assert (found["look"], found["uses_gallery"], found["distractors"]) == ("direct", False, 0)
    assert result.conditions() == []


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """Six photos in folders within folders, and files that are none."""
    make_tree(tmp_path / "others", ["moon", "star", "sun"], photos=2, sketches=0)
    (tmp_path / "others" / "notes.txt").write_text("no photo")
    (tmp_path / "others" / "photo" / ".hidden.png").write_text("no photo")
    return tmp_path / "others"


@pytest.mark.parametrize("look", ["direct", "both"])
def test_distractors_are_ranked_and_right_for_nothing(dataset, others, look) -> None:
    options = Options(gallery="dedup", ks=(1, 3), look=look, distractors=(others, others / "photo" / "sun"))
    result = run(dataset, ProtocolOptions("zero-shot"), options)
    queries = [query for query in dataset.sketches if query.label in ("cow", "door")]
    photos = [photo for photo in dataset.photos if photo.label in ("cow", "door") and not photo.extended]
    photos += [Photo(str(path), "other", str(path)) for path in sorted(others.glob("photo/*/*.png"))]
    found = result.to_json()
    assert found["metrics"] == pytest.approx(slow_metrics(dataset, queries, photos, same_class, (1, 3), look=look))
    assert (found["distractors"], found["gallery"]) == (6, 14)
    assert found["protocol"]["gallery_sizes"]["of_other_classes"] == 6
    assert "6 photos of" in found["protocol"]["sentences"]["gallery"]
    assert "among 6 distractors" in result.conditions()
    assert found["classes"] == ["cow", "door"]


def test_distractors_are_cached_like_other_photos(dataset, others, tmp_path: Path) -> None:
    model, encoded = EdgeModel(), []
    for _ in range(2):
        with VectorCache(tmp_path / "cache", pytest.fail) as cache:
            options = Options(distractors=(others,))
            result = evaluate(model, dataset, ProtocolOptions("zero-shot"), cache, options, lambda *said: None)
        encoded.append(result.computed["photos"])
    assert encoded[0] > 8
    assert encoded[1] == 0


def test_a_distractor_that_cannot_be_opened_is_named(dataset, others) -> None:
    (others / "photo" / "sun" / "p0.png").write_text("no picture")
    with pytest.raises(SketchseekError, match=r"sun/p0\.png"):
        run(dataset, ProtocolOptions("zero-shot"), Options(distractors=(others,)))
    found = run(dataset, ProtocolOptions("zero-shot"), Options(distractors=(others,), skip_broken=True)).to_json()
    assert found["distractors"] == 5
    assert list(found["excluded"]["gallery"]) == [str(others / "photo" / "sun" / "p0.png")]


def test_photos_that_may_be_right_are_no_distractors(dataset, others) -> None:
    with pytest.raises(SketchseekError, match="is a photo of the dataset"):
        run(dataset, ProtocolOptions("zero-shot"), Options(distractors=(dataset.root / "photo",)))
    (others / "empty").mkdir()
    for folder, why in ((others / "empty", "no photo in"), (others / "missing", "cannot be read")):
        with pytest.raises(SketchseekError, match=why):
            run(dataset, ProtocolOptions("zero-shot"), Options(distractors=(folder,)))


def test_within_a_class_there_are_no_distractors(dataset, others) -> None:
    options = Options(distractors=(others,))
    with pytest.raises(SketchseekError, match="--across"):
        run(dataset, ProtocolOptions("fine-grained", "all"), options)
    assert run(dataset, ProtocolOptions("fine-grained", "all", across=True), options).main.task.distractors == 6


@pytest.mark.parametrize(("protocol", "metric"), [("fine-grained", "acc@1"), ("zero-shot", "map@all")])
def test_intervals_of_pairs_are_drawn_by_photo(dataset, protocol, metric) -> None:
    result = run(dataset, ProtocolOptions(protocol, "all", seed=3), Options(resamples=50))
    photos = np.unique([str(query.instance) for query in result.main.task.queries], return_inverse=True)[1]
    low, high = bootstrap_interval(result.main.scores.values, photos, resamples=50, seed=3)
    column = result.main.scores.metrics.index(metric)
    assert result.intervals is not None
    assert result.intervals[metric] == (low[column], high[column])
    found = result.to_json()
    assert found["bootstrap"] == {"resamples": 50, "level": 0.95, "unit": "photo"}
    assert run(dataset, ProtocolOptions("zero-shot"), Options(resamples=0)).to_json()["intervals"] is None


def test_per_class_means_and_the_mean_agree(dataset) -> None:
    found = run(dataset, ProtocolOptions("zero-shot", "all")).to_json()
    assert set(found["per_class"]) == set(CLASSES)
    weighted = sum(means["map@all"] * means["queries"] for means in found["per_class"].values()) / found["queries"]
    assert weighted == pytest.approx(found["metrics"]["map@all"])
    assert found["classes"] == CLASSES


def test_a_second_run_is_the_same_and_encodes_nothing(dataset, tmp_path: Path) -> None:
    results = []
    model = EdgeModel()
    for setting in (ProtocolOptions("zero-shot", "all"), ProtocolOptions("fine-grained", "all")) * 2:
        with VectorCache(tmp_path, pytest.fail) as cache:
            results.append(evaluate(model, dataset, setting, cache, Options(), lambda *said: None).to_json())
    # 16 photos and, of a class, 5 sketches of which the last is drawn one pixel aside of the first
    assert [result.pop("encoded") for result in results] == [
        {"sketches": 20, "photos": 16},
        *[{"sketches": 0, "photos": 0}] * 3,
    ]
    assert model.encoded == {"sketches": 20, "photos": 16}
    for result in results:
        assert result.pop("seconds") >= 0
    assert results[:2] == results[2:]


def test_everything_that_matters_is_in_the_json(dataset) -> None:
    found = json.loads(
        json.dumps(run(dataset, ProtocolOptions("zero-shot", subset=parse_subset("every-2-sketches"))).to_json())
    )
    asked = "metrics intervals per_class protocol queries gallery classes model seconds subset excluded"
    assert set(asked.split()) <= set(found)
    assert found["subset"] == "every-2-sketches"
    assert found["queries"] == 5
    assert found["model"] == {"name": "edge directions", "identity": EdgeModel().identity, "size": 128}
    assert found["excluded"] == {"queries": {}, "gallery": {}}
    assert len(found["precision_recall"]["precision"]) == 11
    assert {"map@200:voc", "map@200:hits", "map@200:k", "map@200:min", "p@100", "map@all"} <= set(found["metrics"])


def test_the_docs_name_every_key_of_the_json(dataset) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "research" / "evaluation.md").read_text(encoding="utf-8")
    table = text.partition("## Evaluating a model")[2].partition("\n## ")[0]
    named = {
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall("`(.+?)`", line.split("|")[1])
    }
    assert named == set(run(dataset, ProtocolOptions("zero-shot")).to_json())


def test_no_papers_beside_classes_of_no_published_split(dataset) -> None:
    assert run(dataset, ProtocolOptions("zero-shot")).to_json()["papers"] is None


@pytest.fixture
def damaged(tmp_path: Path) -> Dataset:
    root = make_tree(tmp_path, ["cow", "door"], photos=3, sketches=4)
    (root / "photo/cow/p0.png").write_text("no picture")
    (root / "sketch/door/p1-1.png").write_bytes((root / "sketch/door/p1-1.png").read_bytes()[:70])
    return open_dataset(root)


def test_broken_pictures_stop_the_evaluation(damaged) -> None:
    with pytest.raises(SketchseekError) as error:
        run(damaged, ProtocolOptions("zero-shot", "all"))
    assert "2 pictures" in str(error.value)
    assert "photo/cow/p0.png" in str(error.value)
    assert "--skip-broken" in str(error.value)


def test_skipped_pictures_are_named_and_not_counted(damaged) -> None:
    found = run(damaged, ProtocolOptions("zero-shot", "all"), Options(skip_broken=True)).to_json()
    assert list(found["excluded"]["gallery"]) == ["photo/cow/p0.png"]
    assert list(found["excluded"]["queries"]) == ["sketch/door/p1-1.png"]
    assert (found["queries"], found["gallery"]) == (7, 5)
    queries = [query for query in damaged.sketches if query.path != "sketch/door/p1-1.png"]
    photos = [photo for photo in damaged.photos if photo.path != "photo/cow/p0.png"]
    assert found["metrics"] == pytest.approx(slow_metrics(damaged, queries, photos, same_class, (100, 200)))


def test_skipped_pictures_of_the_other_gallery_are_named_too(tmp_path: Path) -> None:
    root = make_tree(tmp_path, ["cow", "door"], extended=2)
    (root / "extended_photo/cow/p0.png").write_text("no picture")
    found = run(
        open_dataset(root), ProtocolOptions("zero-shot", "all"), Options(gallery="dedup", skip_broken=True)
    ).to_json()
    assert list(found["excluded"]["gallery"]) == ["extended_photo/cow/p0.png"]
    assert (found["gallery"], found["other_gallery"]["gallery"]) == (8, 11)


def test_sketches_of_a_skipped_photo_are_no_queries(damaged) -> None:
    found = run(damaged, ProtocolOptions("fine-grained", "cow"), Options(skip_broken=True)).to_json()
    assert (found["queries"], found["queries_without_relevant"]) == (2, 2)  # sketches 0 and 3 draw photo 0
    assert "2 queries without a right photo" in " ".join(found["notes"])


def test_a_class_without_a_sketch_is_noted(tmp_path: Path) -> None:
    root = make_tree(tmp_path, ["cow", "door"])
    for file in (root / "sketch" / "door").iterdir():
        file.unlink()
    result = run(open_dataset(root), ProtocolOptions("zero-shot", "cow,door"))
    assert any("1 class without a query: door" in note for note in result.notes)


def test_a_category_model_is_adapted_to_each_class_and_its_support_is_no_query(dataset) -> None:
    model = CategoryEdgeModel()
    result = run(dataset, ProtocolOptions("fine-grained", "all"), model=model)
    assert model.supports == dict.fromkeys(CLASSES, (1, 2))
    assert model.encoded == {"sketches": 0, "photos": 0}
    found = result.to_json()
    support = {path for one in found["support"] for path in one["sketches"]}
    assert len(support) == 4
    assert not support & {query.path for query in result.main.task.queries}
    assert found["queries"] == 16
    assert {path for one in found["support"] for path in one["photos"]} <= {
        photo.path for photo in result.main.task.gallery
    }
    assert found["transductive"] is False
    assert any("adapted to each class" in note for note in found["notes"])
    adapted = dict(zip(CLASSES, model.adapted, strict=True))
    for row, query in enumerate(result.main.task.queries):
        expected = adapted[query.label].encode_sketches([load_sketch(dataset.file(query))])[0]
        np.testing.assert_array_equal(result.main.queries[row], expected)


def test_the_support_is_drawn_by_the_seed(dataset) -> None:
    supports = [
        run(dataset, ProtocolOptions("fine-grained", "all", seed=seed), model=CategoryEdgeModel()).support
        for seed in (0, 0, 1)
    ]
    assert supports[0] == supports[1] != supports[2]


def test_transductive_keeps_the_support_among_the_queries_and_says_so(dataset) -> None:
    found = run(
        dataset, ProtocolOptions("fine-grained", "all"), Options(transductive=True), CategoryEdgeModel()
    ).to_json()
    assert found["queries"] == 20
    assert found["transductive"] is True
    assert any(note.startswith("Transductive") for note in found["notes"])


def test_a_category_model_is_taken_as_it_is_where_the_category_is_not_known(dataset) -> None:
    model = CategoryEdgeModel()
    result = run(dataset, ProtocolOptions("zero-shot"), model=model)
    assert model.supports == {}
    assert any("gives no category" in note for note in result.notes)


def test_what_cannot_be_is_refused_in_one_sentence(dataset) -> None:
    with pytest.raises(SketchseekError, match="--across"):
        run(dataset, ProtocolOptions("fine-grained", across=True), model=CategoryEdgeModel())
    with pytest.raises(SketchseekError, match="--transductive"):
        run(dataset, ProtocolOptions("fine-grained"), Options(transductive=True))
    with pytest.raises(SketchseekError, match="--gallery"):
        run(dataset, ProtocolOptions("fine-grained"), Options(gallery="zse"))


def test_an_adapted_model_with_the_old_identity_is_refused(dataset) -> None:
    class Sloppy(CategoryEdgeModel):
        def for_category(self, name, sketches, photos):
            return EdgeModel()

    with pytest.raises(SketchseekError, match="identity"):
        run(dataset, ProtocolOptions("fine-grained"), model=Sloppy())


def test_a_model_is_adapted_with_as_many_pictures_as_in_training(dataset) -> None:
    model = CategoryEdgeModel(support=(2, 1))
    result = run(dataset, ProtocolOptions("fine-grained"), model=model)
    assert set(model.supports.values()) == {(2, 1)}
    assert any("with 2 sketches (not queries) and 1 photo of the gallery" in note for note in result.notes)


def test_a_class_that_a_subset_leaves_without_a_query_is_not_encoded(dataset) -> None:
    subset = parse_subset("every-12-sketches")  # 2 of 20, of the first and the third class
    model, protocol = CategoryEdgeModel(support=(1, 1)), ProtocolOptions("fine-grained", "all", subset=subset)
    adapted = run(dataset, protocol, Options(transductive=True), model)
    assert list(model.supports) == ["bat", "door"]
    assert run(dataset, protocol).to_json()["queries"] == adapted.to_json()["queries"] == 2
    assert {photo.label for photo in adapted.main.task.gallery} == {"bat", "door"}
    assert [model.encoded["photos"] for model in model.adapted] == [4, 4]


@pytest.mark.parametrize("support", [(3, 0), (0, 3)])
def test_support_may_be_of_one_kind(dataset, support) -> None:
    model = CategoryEdgeModel(support)
    found = run(dataset, ProtocolOptions("fine-grained", "all"), model=model).to_json()
    assert set(model.supports.values()) == {support}
    assert found["queries"] == 4 * (5 - support[0])


def test_each_support_sketch_is_counted_where_sizes_are_compared(tmp_path: Path, monkeypatch) -> None:
    """Published numbers of queries are of all sketches, so those that were set aside are added again."""
    classes = known_splits()["sketchy-21"].unseen
    data, seen = open_dataset(make_tree(tmp_path, classes, photos=2, sketches=3), "sketchy"), []
    monkeypatch.setattr(evaluate_module, "compare", lambda task, set_aside, *more: seen.append(set_aside))
    for support, transductive in (((2, 1), False), ((0, 1), False), ((2, 1), True)):
        options = Options(resamples=0, transductive=transductive)
        run(data, ProtocolOptions("fine-grained", "sketchy-21"), options, CategoryEdgeModel(support))
    assert seen == [2 * 21, 0, 0]


@pytest.mark.parametrize(("protocol", "queries"), [("fine-grained", 4), ("zero-shot", 9), ("generalized", 9)])
def test_chosen_pictures_adapt_a_model_to_one_category(dataset, tmp_path: Path, protocol, queries) -> None:
    copy = tmp_path / "copy.png"  # of a sketch that would be a query
    copy.write_bytes((dataset.root / "sketch/cow/p1-1.png").read_bytes())
    photos = dataset.root / "photo/cow/p0.png", dataset.root / "photo/cow/p3.png"
    model, setting = CategoryEdgeModel(), ProtocolOptions(protocol, "cow," if protocol == "fine-grained" else "unseen")
    result = run(dataset, setting, Options(category=Category("Cow", (copy, *photos))), model)
    assert model.supports == {"cow": (1, 2)}
    found, (adapted,) = result.to_json(), model.adapted
    assert found["model"]["identity"] == adapted.identity != model.identity
    assert found["support"] == [{"name": "cow", "sketches": (str(copy),), "photos": (str(photos[0]), str(photos[1]))}]
    assert (found["category"], found["queries"]) == ("cow", queries)
    assert result.conditions() == ["adapted to cow by chosen pictures"]
    assert any("adapted to cow by 1 sketch and 2 photos that were chosen" in note for note in found["notes"])
    for row, query in enumerate(result.main.task.queries):
        assert query.path != "sketch/cow/p1-1.png"
        expected = adapted.encode_sketches([load_sketch(dataset.file(query))])[0]
        np.testing.assert_array_equal(result.main.queries[row], expected)
    kept = run(dataset, setting, Options(category=Category("cow", (copy, *photos)), transductive=True), model)
    assert kept.to_json()["queries"] == queries + 1
    assert any("still queries (transductive)" in note for note in kept.notes)


@pytest.mark.parametrize(
    ("model", "name", "count", "said"),
    [
        (CategoryEdgeModel(), "cwo", 3, r"--category: .* has no class 'cwo': did you mean cow\?"),
        (CategoryEdgeModel(), "zeppelin", 3, "has no class 'zeppelin': name one of its classes"),
        (CategoryEdgeModel(), "cow", 2, "adapted with 1 sketch and 2 photos, not 2 pictures: name each with --support"),
        (EdgeModel(), "cow", 3, "edge directions needs no category: omit --category and --support"),
    ],
)
def test_a_category_that_does_not_fit_is_one_sentence(dataset, model, name, count, said) -> None:
    category = Category(name, (dataset.file(dataset.photos[0]),) * count)
    with pytest.raises(SketchseekError, match=said):
        run(dataset, ProtocolOptions("zero-shot"), Options(category=category), model)


@pytest.mark.data
@pytest.mark.parametrize("protocol", ["zero-shot", "fine-grained"])
def test_real_sketches_twice_with_the_same_numbers(data_root: Path, tmp_path: Path, protocol) -> None:
    """Edge directions are no method: only that the numbers repeat, and beat chance, is looked at."""
    dataset = open_dataset(data_root / "sketchy")
    results = []
    for _ in range(2):
        with VectorCache(tmp_path, pytest.fail) as cache:
            results.append(
                evaluate(
                    EdgeModel(), dataset, ProtocolOptions(protocol), cache, Options(), lambda *said: None
                ).to_json()
            )
    first, second = results
    assert (first["queries"], first["gallery"], len(first["classes"])) == (525, 525, 21)
    assert first.pop("encoded") == {"sketches": 525, "photos": 525}
    assert second.pop("encoded") == {"sketches": 0, "photos": 0}
    assert first.pop("seconds") > 0 < second.pop("seconds")
    assert first == second
    assert first["papers"]["comparable"] is False
    assert "other gallery size" in first["papers"]["because"]
    assert first["metrics"]["map@all"] > 1.2 / 21 if protocol == "zero-shot" else first["metrics"]["acc@1"] > 1.2 / 25
