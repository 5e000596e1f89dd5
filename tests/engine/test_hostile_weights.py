"""Weights of strangers beside a graph: a forged place, size, type or header is one sentence; no other file is read."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketchseek.engine import EngineError, load
from sketchseek.engine.folder import CONFIG
from sketchseek.errors import SketchseekError
from tests.engine.conftest import put
from tests.engine.forged_weights import FILE, beside, facts, file_of, total

ROOT = Path(__file__).resolve().parents[2]


def test_a_tensor_is_taken_from_the_file_by_its_name() -> None:
    assert total(beside(offset="0", length="16"), file_of({"a": facts()})) == 6


@pytest.mark.parametrize(
    "location",
    [
        "/etc/passwd",
        "../" + FILE,
        "./" + FILE,
        "sub/" + FILE,
        FILE + "/../secret",
        FILE + "\0",
        "",
        "secret",
        FILE[:-1],
    ],
)
def test_another_location_is_refused(location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("secret", FILE):
        (tmp_path / name).write_bytes(np.full(100, 9, np.float32).tobytes())
    monkeypatch.chdir(tmp_path)
    for weights in (file_of({"a": facts()}), file_of({"b": facts()})):
        with pytest.raises(EngineError, match="reads weights from another file, which no checksum covers"):
            total(beside(location, offset="0", length="16"), weights)


def test_a_tensor_that_the_file_lacks_is_not_read_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even from a file of that name in the current folder."""
    (tmp_path / FILE).write_bytes(np.full(100, 9, np.float32).tobytes())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EngineError):
        total(beside(offset="0", length="16"), file_of({"b": facts()}))


def test_a_link_in_place_of_the_weights_is_no_way_out(exported_with_weights: Path, tmp_path: Path) -> None:
    """The content counts: the checksum in the record is that of the file that the link leads to, or it is refused."""
    weights = exported_with_weights / FILE
    other = tmp_path / "other"
    other.write_bytes(b"\0" * weights.stat().st_size)
    weights.unlink()
    weights.symlink_to(other)
    with pytest.raises(EngineError, match="has changed since it was exported"):
        load(exported_with_weights).encode_photos([np.zeros((9, 9, 3), np.uint8)])


@pytest.fixture
def exported_with_weights(folder: Path) -> Path:
    """A model folder whose picture graph has its weights in a file."""
    written = json.loads((folder / CONFIG).read_text())
    graph = onnx.load(folder / "photo.onnx")
    largest = max(graph.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    table = {largest.name: {"dtype": "F32", "shape": list(largest.dims), "data_offsets": [0, len(largest.raw_data)]}}
    head, data = json.dumps(table).encode(), largest.raw_data
    written |= {"version": 2, "weights": {"photo.onnx": FILE}}
    (folder / CONFIG).write_text(json.dumps(written))
    put(folder, FILE, len(head).to_bytes(8, "little") + head + data)
    return folder


KINDS: st.SearchStrategy[Any] = st.sampled_from(
    ["F32", "F16", "I8", "U8", "I64", "BOOL", "F64", "BF16", "x", "", None, 4, [], {}]
)
SIZES = st.sampled_from([0, 1, 2, 3, 4, 15, 16, 17, 2**31, 2**63, 2**64, 10**299, -1, -16, 1.5, "4", None, True, [4]])
TABLES = st.dictionaries(
    st.sampled_from(["a", "b", "", "__metadata__", "a" * 200]),
    st.builds(facts, KINDS, st.lists(SIZES, max_size=3), st.lists(SIZES, min_size=1, max_size=3)) | SIZES,
    max_size=3,
)


@settings(deadline=None, max_examples=200)
@given(TABLES | st.binary(max_size=40))
def test_a_forged_header_is_one_sentence(table: Any) -> None:
    try:
        tensors = file_of(table).tensors()
    except SketchseekError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 300
    else:
        assert sum(tensor.nbytes for tensor in tensors.values()) <= 16 * max(1, len(tensors))


def test_where_graph_and_file_disagree_nothing_crashes() -> None:
    """In a process of its own, because memory that is not there would end it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.forged_weights"], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    *sums, last = done.stdout.splitlines()
    assert last == "done"
    assert set(sums) <= {"6.0", "1.0", "0.0"}, set(sums)  # of all bytes of the tensor, of one of its numbers, of none
