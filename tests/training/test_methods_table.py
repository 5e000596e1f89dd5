"""``benchmarks/methods.py``: what stands in its tables is what evaluating says, and nothing is done twice."""

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketchseek import load_model
from sketchseek.clip.weights import load_backbone
from sketchseek.datasets import open_dataset
from sketchseek.evaluation.evaluate import Options, evaluate
from sketchseek.evaluation.protocols import ProtocolOptions
from sketchseek.evaluation.vectors.cache import VectorCache
from sketchseek.training import backbones

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "methods.py"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location("benchmarks_methods", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "benchmarks_methods", module)
    spec.loader.exec_module(module)
    return module


def test_cells_are_what_evaluating_says(
    bench: Any, data: Path, tiny_clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backbones, "load_backbone", load_backbone)
    given = {"steps": "2", "batch": "4", "validate_every": "2", "warmup": "0"}
    jobs = [
        bench.Job(method, "category", seed, tmp_path / f"{method}{seed}", ("val",), given, data, str(tiny_clip_folder))
        for method, seed in (("zero-shot", 0), ("linear-probe", 0), ("linear-probe", 1))
    ]
    for job in jobs:
        bench.work(job, 1)
        before = job.scores("val").stat().st_mtime_ns
        bench.work(job, 1)
        assert job.scores("val").stat().st_mtime_ns == before
    means = []
    with VectorCache(None, print) as kept:
        for job in jobs[1:]:
            model = load_model(job.folder, device="cpu")
            found = evaluate(
                model, open_dataset(data), ProtocolOptions("zero-shot", "val"), kept, Options(), lambda *_: None
            )
            means.append(100 * found.main.scores.means()["map@all"])
    cell = bench.read_cell(jobs[1:], "val", "zero-shot", "map@all")
    np.testing.assert_allclose(cell.seeds, means, atol=1e-6)
    text = bench.tables(jobs, ["zero-shot", "linear-probe"], "val")
    assert f"| linear-probe | {np.mean(means):.1f} ± {np.std(means, ddof=1):.1f} [" in text
    assert set(json.loads(jobs[0].scores("val").read_text())) == {"zero-shot"}


def test_seeds_and_test_classes_get_the_best_rate(bench: Any, tmp_path: Path) -> None:
    parts: tuple[Any, ...] = ("category", 0, tmp_path, ("val",), {}, tmp_path, "b")
    jobs = [bench.Job("m", *parts, rate=rate).placed(tmp_path) for rate in (1e-3, 1e-2)]
    for job, value in zip(jobs, (0.3, 0.5), strict=True):
        job.folder.mkdir()
        job.scores("val").write_text(json.dumps({"zero-shot": {"values": {"map@all": [value, value]}}}))
    assert bench.chosen(jobs) == [jobs[1]]
    assert jobs[1].folder.name == "m-category-lr0.01-seed0"
    assert (jobs[0].protocols, replace(jobs[0], generalized=True).protocols) == (
        ("zero-shot",),
        ("zero-shot", "generalized"),
    )


def test_a_difference_is_over_the_queries_of_both(bench: Any) -> None:
    rows = np.arange(3)
    ours = bench.Cell(("a", "b", "c"), rows, np.array([10.0, 20.0, 60.0]), (30.0,))
    base = bench.Cell(("c", "a", "d"), rows, np.array([50.0, 8.0, 0.0]), (20.0,))
    assert ours.beside(base).startswith("+6.0 [+2.0, +10.0]")
    assert str(ours).startswith("30.0 [10.0, 60.0]")
