"""The leaderboard is what the result files say."""

import sys
from pathlib import Path

import numpy as np
import pytest

from sketchseek.cli import main
from sketchseek.datasets import open_dataset
from sketchseek.errors import SketchseekError
from sketchseek.evaluation.results import read_result, result_of_vectors, write_result
from sketchseek.evaluation.vectors.npz import VectorSet
from sketchseek.pictures import load_photo, load_sketch
from tests.evaluation.edges import EdgeModel
from tests.evaluation.trees import make_tree

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from leaderboard import FOLDER, page  # noqa: E402  # tools are no package


def put(folder, name, model, score, about="made data"):
    found = {
        "metrics": {"map@all": score, "p@100": 0.25},
        "intervals": {"map@all": (score - 0.1, score + 0.1), "p@100": (0.2, 0.3)},
        "queries": 2000,
        "queries_without_relevant": 0,
        "gallery": 1,
        "by": "label",
        "within_class": False,
        "ties": "counted against",
    }
    one = VectorSet("x.npz", np.ones((1, 2), np.float32), np.array(["bat"]), None, None)
    write_result(folder / name, result_of_vectors(found, one, one, model, about))


def test_ours_come_first_then_the_best(tmp_path):
    put(tmp_path, "a.json", "good", 0.7)
    put(tmp_path, "b.json", "better", 0.8)
    put(tmp_path, "ours-x.json", "default", 0.6)
    put(tmp_path, "c.json", "alone", 0.9, about="other data")
    first, second = page(tmp_path).split("\n## ")[1:]
    assert first.startswith("Score, made data\n")
    assert [line.split(" | ")[0] for line in first.splitlines()[4:]] == ["| default", "| better", "| good"]
    assert "| 60.00 [50.00, 70.00] | 25.00 [20.00, 30.00] | 2,000 | 1 | [ours-x.json](results/ours-x.json) |" in first
    assert second.startswith("Score, other data")


def test_the_page_is_made_from_what_score_and_evaluate_write(tmp_path, monkeypatch):
    """From vectors and pictures to rows: no step in between is made by hand."""
    monkeypatch.setenv("SKETCHSEEK_CACHE", str(tmp_path / "cache"))
    root, results = make_tree(tmp_path / "data", ["bat", "cow"], photos=3, sketches=3), tmp_path / "results"
    results.mkdir()
    model = EdgeModel()
    monkeypatch.setattr("sketchseek.loading.load_model", lambda *_, **__: model)
    data, files = open_dataset(root), []
    drawn = model.encode_sketches([load_sketch(data.file(one)) for one in data.sketches])
    shown = model.encode_photos([load_photo(data.file(one)) for one in data.photos])
    for name, items, vectors in (("sketches", data.sketches, drawn), ("photos", data.photos, shown)):
        labels, names = [item.label for item in items], [item.path for item in items]
        np.savez(tmp_path / f"{name}.npz", vectors=vectors, labels=labels, names=names)
        files.append(str(tmp_path / f"{name}.npz"))
    given = ["--bootstrap", "0", "--about", "made data"]
    evaluate = ["evaluate", "--model", "edges", "--data", str(root), "--classes", "all", *given]
    for command, file in (
        (["score", "--queries", files[0], "--gallery", files[1], "--model", "vectors", *given], "a.json"),
        (evaluate, "ours-b.json"),
        ([*evaluate, "--look", "both"], "c.json"),
        ([*evaluate, "--gallery", "dedup"], "d.json"),
    ):
        with pytest.raises(SystemExit) as end:
            main([*command, "--result", str(results / file)])
        assert not end.value.code
    one, other = read_result(results / "a.json"), read_result(results / "ours-b.json")
    for same in ("metrics", "definitions", "queries", "gallery"):
        assert one[same] == other[same]
    for same in ("queries vectors", "gallery vectors", "queries names", "gallery labels"):
        assert one["sha256"][same] == other["sha256"][same]

    tables = dict(table.split("\n", 1) for table in page(results).split("\n## ")[1:])
    score, direct = "Score, made data", "Zero-shot, made data"
    look = "Zero-shot, look both, which uses the gallery, made data"
    assert tables.keys() == {score, direct, look, "Zero-shot, each photo once, made data"}
    first = f"{100 * one['metrics']['map@all']:.2f}"
    assert f"| vectors | {first} | " in tables[score]
    assert f"| edge directions | {first} | " in tables[direct]
    assert tables[direct].rstrip().endswith("| 6 | 6 | [ours-b.json](results/ours-b.json) |")
    (results / "a.json").write_text((results / "a.json").read_text().replace('"queries": 6', '"queries": 7'))
    with pytest.raises(SketchseekError, match=r"a\.json was changed after it was written"):
        page(results)


def test_names_of_others_are_only_text(tmp_path):
    put(tmp_path, "a.json", "<script>x|y\n# z [a](b)", 0.7)
    assert "|  script x y   z  a (b) | 70.00" in page(tmp_path)


def test_the_page_in_the_docs_is_up_to_date():
    assert (FOLDER.parent / "leaderboard.md").read_text(encoding="utf-8") == page(FOLDER), "run: make docs"


def test_result_files_in_the_docs_name_no_folder_of_a_machine():
    for path in FOLDER.glob("*.json"):
        assert read_result(path)
        assert "/home" not in path.read_text(encoding="utf-8") and "/work" not in path.read_text(encoding="utf-8")
