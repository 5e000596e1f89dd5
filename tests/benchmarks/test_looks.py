"""The benchmarks of looks and relevance on pictures drawn here; direct figures are those of ``evaluate``."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sketchseek.datasets import open_dataset
from sketchseek.evaluation.evaluate import Options, evaluate
from sketchseek.evaluation.protocols import ProtocolOptions
from sketchseek.evaluation.vectors.cache import VectorCache
from sketchseek.loading import load_model
from tests.evaluation.trees import make_tree

ROOT = Path(__file__).resolve().parents[2]


def cells(out: str) -> dict[tuple[str, str, str], str]:
    """(gallery, queries, measure) -> the cell under ``direct``."""
    found, gallery = {}, ""
    for line in out.splitlines():
        if line.startswith("**"):
            gallery = line
        elif line.count("|") == 8 and not line.startswith(("| queries", "|---")):
            queries, measure, direct = (part.strip() for part in line.split("|")[1:4])
            found[gallery, queries, measure] = direct
    return found


def make_data(tmp_path: Path) -> Path:
    """Two validation classes of four photos, and two photos of other things."""
    root = make_tree(tmp_path / "sketchy", ["bat", "cow", "door"], photos=4, sketches=4)
    (root / "splits.json").write_text(json.dumps({"train": ["bat"], "val": ["cow", "door"]}))
    make_tree(tmp_path / "x", ["x"], photos=1, sketches=0)
    for name in ("moon", "sun", "cow"):  # cows are right: they are no other photos
        (tmp_path / "photos" / name).mkdir(parents=True)
        shutil.copy(tmp_path / "x" / "photo" / "x" / "p0.png", tmp_path / "photos" / name)
    return root


def run(name: str, tmp_path: Path, *arguments: str) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / name), str(tmp_path), "--cache", str(tmp_path / "cache")]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_relevance_is_tabulated(tmp_path: Path) -> None:
    make_data(tmp_path)
    lines = run("relevance.py", tmp_path, "--queries", "2").splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "sketchy val, drawings",
        "sketchy val, words",
        "sketchy val, photos",
        "all",
    ]
    counted = [sum(int(number) for number in re.findall(r"\(([0-9]+)\)", line.replace(",", ""))) for line in lines[2:]]
    assert counted[3] == sum(counted[:3]) > 0


def test_words_beside_drawings_are_tabulated(tmp_path: Path) -> None:
    make_data(tmp_path)
    command = [sys.executable, str(ROOT / "benchmarks" / "drawing_and_words.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "8 drawings of 2 classes" in done.stdout
    drawing, word, both, *_ = (float(cell.split()[0]) for cell in done.stdout.splitlines()[-1].split("|")[1:-1])
    assert (drawing, word, both) == (45, 45, 45)  # all photos are shown: five of cows, four of doors


def test_colours_are_tabulated(tmp_path: Path) -> None:
    root = make_data(tmp_path)
    pairs = [f"sketch/{label}/p{i}-{i}.png,photo/{label}/p{i}.png,val" for label in ("cow", "door") for i in range(4)]
    (root / "pairs.csv").write_text("\n".join(["sketch,photo,split", *pairs]))
    command = [sys.executable, str(ROOT / "benchmarks" / "colours.py"), str(tmp_path), "--most", "3"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith(("| drawings", "| paintings"))]
    assert [row[0] for row in rows] == [
        *(f"| drawings, {share} of the pieces coloured" for share in ("0%", "33%", "67%", "100%")),
        "| paintings, colours alone",
    ]
    assert all(row[-1].startswith("100.0 ") for row in rows)  # there are fewer than 100 photos
    assert "ms of processor time" in done.stdout


def test_the_palette_is_that_of_the_page() -> None:
    page = (ROOT / "src" / "sketchseek" / "server" / "page" / "js" / "palette.js").read_text()
    benchmark = (ROOT / "benchmarks" / "colours.py").read_text()
    colours = re.findall(r"#[0-9a-f]{6}", page)
    assert len(colours) == 9
    assert re.findall(r"#[0-9a-f]{6}", benchmark) == colours


def test_it_prints_its_tables(tmp_path: Path) -> None:
    root = make_data(tmp_path)
    found = cells(run("looks.py", tmp_path, "--draws", "2"))
    alone, among = "**sketchy val, alone: 8 photos**", "**sketchy val, among 2 other photos**"
    assert {gallery for gallery, *_ in found} == {alone, among}
    assert {queries for _, queries, _ in found} == {"drawings", "words", "photos"}
    assert (among, "drawings", "drawn, found") in found
    with VectorCache(tmp_path / "cache", pytest.fail) as cache:
        model, dataset, options = load_model("default", device="cpu"), open_dataset(root), Options(ks=(1, 5))
        for setting, metric, name in (
            (ProtocolOptions("zero-shot", "val"), "map@all", "mAP@all"),
            (ProtocolOptions("fine-grained", "val"), "acc@1", "acc@1"),
        ):
            result = evaluate(model, dataset, setting, cache, options, lambda *_: None)
            assert result.computed == {"sketches": 0, "photos": 0}
            assert result.intervals is not None
            mean, (low, high) = result.main.scores.means()[metric], result.intervals[metric]
            assert found[alone, "drawings", name] == f"{100 * mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
