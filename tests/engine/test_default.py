"""The model that ships: whole, and enough to index and search with where torch is not installed."""

import json
import subprocess
import sys
from pathlib import Path

from PIL import Image

from sketchseek.engine import find_model, load
from sketchseek.engine.sample_inputs import sample_pictures

ROOT = Path(__file__).resolve().parents[2]
BLOCKED = ("torch", "transformers", "safetensors", "onnx", "matplotlib", "sklearn")


def test_what_ships_gives_its_golden_vectors() -> None:
    folder = find_model("default")
    assert folder is not None
    model = load(folder)
    model.verify()
    assert (model.name, model.record.backbone, model.record.precision) == ("default", "lite", "int8")


def test_indexing_and_searching_need_no_torch_and_no_network(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for seed in range(3):
        Image.fromarray(sample_pictures(1, 300, seed)[0]).save(tmp_path / "photos" / f"{seed}.jpg")
    (tmp_path / "x.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M1 1 8 8" stroke="black"/></svg>'
    )
    script = f"""
import socket, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED!r}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Blocked())
def refuse(*_):
    raise AssertionError("the network was used")
socket.socket.connect = refuse
from sketchseek.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    sys.exit(end.code)
"""

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments, "--gallery", str(tmp_path / "g"), "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert json.loads(run("index", str(tmp_path / "photos")))["added"] == 3
    hits = json.loads(run("search", str(tmp_path / "x.svg"), "--min-score", "-1"))
    assert len(hits) == 3
    assert {Path(hit["path"]).name for hit in hits} == {"0.jpg", "1.jpg", "2.jpg"}
    assert len(json.loads(run("search", "--text", "a fish", "--min-score", "-1"))) == 3
