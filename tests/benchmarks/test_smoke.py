"""Every benchmark runs to the end at a tiny size and prints its table, so that none rots. No time is asserted."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks"

TINY = {
    "cold": ["--photos", "20", "--rounds", "1"],
    "clip_models": ["--models", "tiny", "--threads", "1", "--repeats", "1"],
    "engine": ["--threads", "1", "--repeats", "1", "--models", "default"],
    "evaluation": ["tiny", "--sample", "2"],
    "export_size": ["--model", "tiny"],
    "indexing": ["--count", "4", "--megapixels", "0.3", "--models", "default"],
    "operations": ["--methods", "linear-probe", "--classes", "3"],
    "page": ["--photos", "60", "--strokes", "2"],
    "pictures": ["--repeats", "1", "--megapixels", "0.3"],
    "rescan": ["--files", "200", "--rounds", "1"],
    "search": ["--sizes", "500", "--others-up-to", "0", "--queries", "3"],
    "server": ["--photos", "20", "--clients", "1", "--seconds", "1"],
    "training": ["--batch", "2", "--rounds", "1", "--layers", "1"],
}
ELSEWHERE = {
    "colours": "tests/benchmarks/test_looks.py runs it",
    "drawing_and_words": "tests/benchmarks/test_looks.py runs it",
    "looks": "tests/benchmarks/test_looks.py runs it",
    "relevance": "tests/benchmarks/test_looks.py runs it",
    "gradients": "tests/training/test_gradients.py runs it",
    "methods": "tests/training/test_methods_table.py runs it",
    "picture_memory": "tests/pictures/test_memory.py runs it",
    "scale": "needs a Milvus server and Ray",
    "stand_ins": "a module of the others",
}


def test_no_benchmark_is_forgotten() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == {*TINY, *ELSEWHERE}


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_it_prints_its_table(name: str) -> None:
    if name == "page" and not (shutil.which("chromium") or shutil.which("google-chrome")):
        pytest.skip("no Chromium to draw in")
    command = [sys.executable, str(FOLDER / f"{name}.py"), *TINY[name]]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    figures = [line for line in done.stdout.splitlines() if any(letter.isdigit() for letter in line)]
    assert figures, done.stdout
    if name == "page":
        assert "2 strokes" in done.stdout
