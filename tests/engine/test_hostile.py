"""Model folders of strangers: each ends in one sentence, in bounded time and memory."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from sketchseek import SketchseekError
from sketchseek.engine import Encoder, EngineError, isolation, load
from sketchseek.engine.folder import CONFIG, GOLDEN, SHIPPED, TOKENIZER, is_model, read_record
from sketchseek.engine.golden import write_golden
from sketchseek.engine.sessions import OrtSession
from tests.engine.conftest import put

MOST_SECONDS = 120.0  # a generous limit for everything here
PHOTO = [np.zeros((9, 9, 3), np.uint8)]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def graph(
    nodes: list[Any], constants: Mapping[str, Any] = {}, *, kind: int = TensorProto.FLOAT, outputs: Any = None
) -> bytes:
    """A graph from ``pixels`` to ``vectors``."""
    tensors = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    made = helper.make_graph(
        nodes,
        "hostile",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 224, 224, 3])],
        outputs or [helper.make_tensor_value_info("vectors", kind, None)],
        tensors,
    )
    return bytes(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())


def loop(*body: Any) -> bytes:
    """A loop that never ends around the nodes of ``body``."""
    state = helper.make_tensor_value_info("state", TensorProto.FLOAT, [4])
    after = helper.make_tensor_value_info("after" if body else "state", TensorProto.FLOAT, [4])
    goes_on = helper.make_tensor_value_info("goes_on", TensorProto.BOOL, [])
    turn = helper.make_tensor_value_info("turn", TensorProto.INT64, [])
    inside = helper.make_graph(list(body), "body", [turn, goes_on, state], [goes_on, after])
    return graph(
        [helper.make_node("Loop", ["", "yes", "start"], ["vectors"], body=inside)],
        {"yes": np.array(True), "start": np.ones(4, np.float32)},
    )


def products(side: int, count: int) -> bytes:
    """Large matrix products, which onnxruntime would compute when it opens the graph."""
    nodes = [helper.make_node("ConstantOfShape", ["shape"], ["m0"])]
    nodes += [helper.make_node("MatMul", [f"m{n}", "m0"], [f"m{n + 1}"]) for n in range(count)]
    nodes += [helper.make_node("ReduceSum", [f"m{count}"], ["vectors"], keepdims=0)]
    return graph(nodes, {"shape": np.array([side, side])})


ENDLESS = {
    "loop": lambda: loop(helper.make_node("Add", ["state", "state"], ["after"])),
    "loop of nothing": loop,
    "work while it is opened": lambda: products(9000, 500),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_graph_without_end_is_stopped(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, "photo.onnx", ENDLESS[name]())
    start = time.monotonic()
    model = load(folder)
    with monkeypatch.context() as patch:
        patch.setattr(isolation, "OPEN_SECONDS", 4.0)
        patch.setattr(isolation, "CALL_SECONDS", 3.0)
        patch.setattr(isolation, "ROW_SECONDS", 0.0)
        for _ in range(2):  # a stopped process is replaced
            with pytest.raises(EngineError, match=r"took longer than [34] s and was stopped: export the model again"):
                model.encode_photos(PHOTO)
    assert time.monotonic() - start < MOST_SECONDS
    assert model.encode_texts(["cat"]).shape == (1, 16)


def test_a_graph_that_fills_the_memory_is_stopped(folder: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["pixels"], ["sides"]),
        helper.make_node("Mul", ["sides", "factor"], ["shape"]),
        helper.make_node("ConstantOfShape", ["shape"], ["many"]),
        helper.make_node("ReduceSum", ["many"], ["vectors"], keepdims=0),
    ]
    put(folder, "photo.onnx", graph(nodes, {"factor": np.array([1000, 10, 10, 10])}))
    with pytest.raises(EngineError, match=r"memory|onnxruntime (fails|cannot)|crashed"):
        load(folder).encode_photos(PHOTO)


def test_a_process_ends_with_the_one_that_started_it(folder: Path) -> None:
    put(folder, "photo.onnx", loop())
    script = (
        "import sys, numpy as np; from sketchseek.engine import load; from sketchseek.engine.isolation import Child\n"
        "start = Child.__init__\n"
        "def told(self, memory): start(self, memory); print(self._process.pid, flush=True)\n"
        "Child.__init__ = told\n"
        "load(sys.argv[1]).encode_photos([np.zeros((9, 9, 3), np.uint8)])"
    )
    with subprocess.Popen([sys.executable, "-c", script, folder], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        time.sleep(2)  # until the graph loops
        parent.send_signal(signal.SIGKILL)
    limit = time.monotonic() + MOST_SECONDS
    while _lives(child):
        assert time.monotonic() < limit
        time.sleep(0.1)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def test_modules_of_the_current_folder_are_not_run(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('a stranger ran code')")
    (tmp_path / "sketchseek.py").write_text("raise SystemExit('a stranger ran code')")
    script = "import sys; from sketchseek.engine import load; print(load(sys.argv[1]).encode_texts(['cat']).shape)"
    call = [sys.executable, "-P", "-c", script, str(folder)]
    done = subprocess.run(call, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout == "(1, 16)\n", done.stderr


def outside(location: str) -> bytes:
    """A graph that reads a weight from elsewhere."""
    model = onnx.load_from_string(
        graph(
            [
                helper.make_node("ReduceSum", ["weights"], ["sum"], keepdims=0),
                helper.make_node("Identity", ["sum"], ["vectors"]),
            ],
            {"weights": np.ones(4, np.float32)},
        )
    )
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("location", ["secret", "../secret", "/etc/passwd", "*/_ORT_MEM_ADDR_/*"])
def test_a_graph_reads_no_other_file(location: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "secret").write_bytes(np.ones(4, np.float32).tobytes())
    monkeypatch.chdir(folder)
    data = outside(location)
    for hidden in (data, data.replace(b"\x0a\x08location", b"\x0a\x88\x00location")):
        put(folder, "photo.onnx", hidden)
        with pytest.raises(EngineError, match="reads weights from another file, which no checksum covers"):
            load(folder).encode_photos(PHOTO)
        with pytest.raises(EngineError, match="reads weights from another file"):
            OrtSession(hidden, "CPU", 1)


def test_a_graph_may_use_the_word_location() -> None:
    OrtSession(graph([helper.make_node("Cast", ["pixels"], ["vectors"], name="location", to=1)]), "CPU", 1)


def rows(value: float, width: int = 16) -> list[Any]:
    """Nodes that give each picture a vector of one value."""
    return [
        helper.make_node("Cast", ["pixels"], ["numbers"], to=1),
        helper.make_node("ReduceMax", ["numbers"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "axis"], ["column"]),
        helper.make_node("Mul", ["column", "zeros"], ["nothing"]),
        helper.make_node("Add", ["nothing", "value"], ["vectors"]),
    ]


def constants(value: float, width: int = 16) -> dict[str, Any]:
    return {
        "axis": np.array([1]),
        "zeros": np.zeros(width, np.float32),
        "value": np.full(width, value, np.float32),
    }


WRONG = {
    "another width": graph(rows(1.0), constants(1.0, 5)),
    "far too wide": graph(rows(1.0), constants(1.0, 5_000_000)),
    "not numbers": graph(rows(1.0), constants(float("nan"))),
    "whole numbers": graph([helper.make_node("Identity", ["pixels"], ["vectors"])], kind=TensorProto.UINT8),
    "a list": graph(
        [helper.make_node("Cast", ["pixels"], ["x"], to=1), helper.make_node("SequenceConstruct", ["x"], ["vectors"])],
        outputs=[helper.make_tensor_sequence_value_info("vectors", TensorProto.FLOAT, None)],
    ),
    "one number": graph([helper.make_node("Cast", ["x"], ["vectors"], to=1)], {"x": np.array(3)}),
    "no graph": b"\x08\x08hello",
    "nothing": b"\x08\x08",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_graph_that_computes_something_else_is_refused(name: str, folder: Path) -> None:
    golden = dict(np.load(folder / GOLDEN))
    inputs = {f"photo.onnx/{key.partition('/')[2]}": value for key, value in golden.items() if "photo.onnx/p" in key}
    count = len(next(iter(inputs.values())))
    width = 5 if name == "another width" else 16
    golden |= inputs | {"photo.onnx/vectors": np.ones((count, width), np.float32)}
    golden.pop("photo.onnx/states", None)
    put(folder, GOLDEN, write_golden(golden))
    put(folder, "photo.onnx", WRONG[name])
    with pytest.raises(EngineError):
        load(folder).encode_photos(PHOTO)


def test_damaged_graphs_end_in_one_sentence(folder: Path) -> None:
    whole = (folder / "photo.onnx").read_bytes()
    random = np.random.default_rng(5)
    for _ in range(4):
        data = bytearray(whole)
        for where in random.integers(0, min(len(data), 4000), 3):
            data[where] ^= int(random.integers(1, 256))
        put(folder, "photo.onnx", bytes(data))
        try:
            assert load(folder).encode_photos(PHOTO).shape == (1, 16)
        except EngineError as error:
            assert "\n" not in str(error)


GOLDENS: dict[str, Callable[[], bytes]] = {
    "words": lambda: write_golden({"photo.onnx/vectors": np.array(["a", "b"])}),
    "nothing": lambda: write_golden({"photo.onnx/vectors": np.zeros((0, 16), np.float32)}),
    "no input": lambda: write_golden({"photo.onnx/vectors": np.ones((1, 16), np.float32)}),
    "no archive": lambda: b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_golden_vectors_that_are_none_are_refused(name: str, folder: Path) -> None:
    put(folder, GOLDEN, GOLDENS[name]())
    with pytest.raises(EngineError):
        load(folder).encode_photos(PHOTO)


# The record.

WRONG_VALUES = [
    float("inf"),
    float("-inf"),
    float("nan"),
    10**400,
    -(10**400),
    10**9,
    2**63,
    -1,
    0,
    True,
    1.5,
    "1",
    None,
    [],
    {},
    [[]],
]
NUMBERS = ["size", "grid", "context", "temperature"]


@pytest.mark.parametrize("value", WRONG_VALUES, ids=lambda value: str(value)[:9])
def test_a_wrong_number_in_the_record_is_one_sentence(value: Any, folder: Path) -> None:
    whole = json.loads((folder / CONFIG).read_text())
    changes: list[dict[str, Any]] = [{name: value} for name in NUMBERS if name != "temperature" or value != value]
    changes += [{"photos": {**whole["photos"], "size": value}}]
    changes += [{"files": {**whole["files"], TOKENIZER: {"size": value, "sha256": "0"}}}]
    changes += [{"graphs": {**whole["graphs"], "photo": value}}, {"name": value} if value != "1" else {"size": 0}]
    for change in changes:
        (folder / CONFIG).write_text(json.dumps({**whole, **change}))
        with pytest.raises(EngineError, match=r"config\.json is (damaged|not valid JSON)|has changed since"):
            load(folder)


@pytest.mark.parametrize("name", ["", "..", ".", "/etc/passwd", "a/b", "a\0b", "\udcff", "C:x", "a" * 500])
def test_a_file_name_that_is_none_is_refused(name: str, folder: Path) -> None:
    written = json.loads((folder / CONFIG).read_text())
    written["files"][name] = {"size": 1, "sha256": ""}
    (folder / CONFIG).write_text(json.dumps(written))
    with pytest.raises(EngineError, match=r"config\.json is damaged"):
        load(folder)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_record_of_anything_is_read_or_is_one_sentence(data: Any, exported: Encoder, tmp_path: Path) -> None:
    written = json.loads((exported.folder / CONFIG).read_text())
    place: Any = written
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not (isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans())):
            break
        place = place[key]
    place[key] = data.draw(ANYTHING)
    (tmp_path / CONFIG).write_text(json.dumps(written))
    try:
        record = read_record(tmp_path)
    except EngineError:
        return  # also because the other files are missing
    assert record.size <= 2**16


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_in_place_of_a_file_is_no_wait(folder: Path) -> None:
    for name in (CONFIG, TOKENIZER):
        whole = (folder / name).read_bytes()
        (folder / name).unlink()
        os.mkfifo(folder / name)
        with pytest.raises(EngineError, match=r"not a plain file|has changed"):
            load(folder).encode_texts(["cat"])
        (folder / name).unlink()
        (folder / name).write_bytes(whole)
    (folder / CONFIG).unlink()
    os.mkfifo(folder / CONFIG)
    assert not is_model(folder)


def test_a_record_of_any_size_is_not_read(folder: Path) -> None:
    with (folder / CONFIG).open("ab") as file:
        file.truncate(2**40)
    assert not is_model(folder)
    with pytest.raises(EngineError, match="larger than 16 MB"):
        load(folder)


# The tokenizer.


def tokenizer(**parts: Any) -> bytes:
    """The tokenizer that ships, with other parts."""
    return json.dumps(json.loads((SHIPPED / "default" / TOKENIZER).read_bytes()) | parts).encode()


def split(pattern: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Removed", "invert": False}


def grown(times: int) -> dict[str, Any]:
    more = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 10}
    return {"type": "Sequence", "normalizers": [more] * times}


TOKENIZERS = {
    "a pattern that panics": tokenizer(pre_tokenizer=split("(x+x+)+y")),
    "a pattern that is none": tokenizer(pre_tokenizer=split("(?:")),
    "more text than fits": tokenizer(normalizer=grown(12)),
    "no start and end": tokenizer(post_processor=None),
    "deep": b"[" * 100_000,
    "nothing": b"",
    "numbers": tokenizer(model={"type": "BPE", "vocab": {"a": 10**30}, "merges": []}),
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_tokenizer_that_fails_is_one_sentence(name: str, folder: Path) -> None:
    put(folder, TOKENIZER, TOKENIZERS[name])
    start = time.monotonic()
    with pytest.raises(SketchseekError) as caught:
        load(folder).encode_texts(["x" * 40 + "a" * 9])
    assert "\n" not in str(caught.value)
    assert time.monotonic() - start < MOST_SECONDS


def test_a_tokenizer_that_takes_forever_is_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "CALL_SECONDS", 1.0)
    put(folder, TOKENIZER, tokenizer(pre_tokenizer=split("(x+x+)+y|z"), normalizer=slow()))
    with pytest.raises(EngineError, match=r"took longer than 1 s|ran out of memory|fails on a text"):
        load(folder).encode_texts(["x" * 500])


def slow() -> dict[str, Any]:
    """A pattern that just stays below the library's own limit, at every character of a text."""
    return {"type": "Replace", "pattern": {"Regex": "(?:x?){12}(?:x){12}y"}, "content": "z"}
