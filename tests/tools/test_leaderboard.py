"""The leaderboard is what the result files say."""

import sys
from pathlib import Path

import numpy as np

from sketchseek.evaluation.results import read_result, result_of_vectors, write_result
from sketchseek.evaluation.vectors.npz import VectorSet

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


def test_names_of_others_are_only_text(tmp_path):
    put(tmp_path, "a.json", "<script>x|y\n# z [a](b)", 0.7)
    assert "|  script x y   z  a (b) | 70.00" in page(tmp_path)


def test_the_page_in_the_docs_is_up_to_date():
    assert (FOLDER.parent / "leaderboard.md").read_text(encoding="utf-8") == page(FOLDER), "run: make docs"


def test_result_files_in_the_docs_name_no_folder_of_a_machine():
    for path in FOLDER.glob("*.json"):
        assert read_result(path)
        assert "/home" not in path.read_text(encoding="utf-8") and "/work" not in path.read_text(encoding="utf-8")
