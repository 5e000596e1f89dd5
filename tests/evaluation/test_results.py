import hashlib
import json

import numpy as np
import pytest

from sketchseek.errors import SketchseekError
from sketchseek.evaluation.results import KEYS, read_result, result_of_vectors, write_result
from sketchseek.evaluation.vectors.npz import VectorSet

FOUND = {
    "metrics": {"map@all": 0.5, "p@100": 0.25},
    "queries": 2,
    "queries_without_relevant": 0,
    "gallery": 2,
    "by": "label",
    "within_class": False,
    "ties": "counted against",
}


def vectors(dtype=np.float32, source="q.npz"):
    labels = np.array(["bat", "cow"])
    return VectorSet(source, np.array([[1, 2], [3, 4]], dtype), labels, np.array([7, 8]), None)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "result.json"
    write_result(path, result_of_vectors(FOUND, vectors(), vectors(), "mine", "made data"))
    return path


def test_a_result_is_read_back_as_it_was_written(file):
    result = read_result(file)
    assert set(KEYS) < set(result)
    assert (result["model"]["name"], result["about"]) == ("mine", "made data")
    assert result["definitions"] == {
        "map@all": "mean average precision over the whole ranking",
        "p@100": "share of right photos among the first 100",
    }


def test_hashes_are_of_the_values_and_not_of_the_file(file):
    hashes = read_result(file)["sha256"]
    expected = np.array([1, 2, 3, 4], "<f4").tobytes()
    assert hashes["queries vectors"] == hashes["gallery vectors"] == hashlib.sha256(expected).hexdigest()
    assert hashes["queries labels"] == hashlib.sha256(b"bat\ncow").hexdigest()
    assert "queries names" not in hashes
    wide = result_of_vectors(FOUND, vectors(np.float64, "other.npz"), vectors(), "mine", "made data")
    assert wide["sha256"] == hashes


@pytest.mark.parametrize("change", [("metrics", {"map@all": 0.9, "p@100": 0.25}), ("about", "Sketchy"), ("gallery", 3)])
def test_a_changed_file_is_rejected(file, change):
    result = json.loads(file.read_text())
    result[change[0]] = change[1]
    file.write_text(json.dumps(result))
    with pytest.raises(SketchseekError, match=r"result.json was changed after it was written"):
        read_result(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [("no json", "cannot be read as a result"), ("[]", "not a result file"), ('{"format": 1}', "not a result file")],
)
def test_other_files_are_rejected_in_one_sentence(tmp_path, text, said):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(SketchseekError, match=said):
        read_result(path)
    path.unlink()
    with pytest.raises(SketchseekError, match="cannot be read as a result"):
        read_result(path)


def test_a_newer_format_is_refused(file):
    result = json.loads(file.read_text()) | {"format": 2}
    file.write_text(json.dumps(result))
    with pytest.raises(SketchseekError, match="has format 2"):
        read_result(file)
