import json
import subprocess
import sys
from pathlib import Path

import pytest

from sketchseek.cli import main
from sketchseek.installation import extra_command

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["export", *map(str, arguments)])
    assert isinstance(end.value.code, int)
    return end.value.code


def test_a_backbone_becomes_a_model_to_search_with(
    tiny_clip_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tiny_clip_folder, "--out", tmp_path / "model") == 0
    captured = capsys.readouterr()
    from sketchseek.engine import load

    assert captured.out == f"{load(tmp_path / 'model').identity}\n"
    assert "Lowest cosine between the fp32 graphs and torch on sample inputs: 1.0" in captured.err
    assert captured.err.endswith(f"search with --model {tmp_path / 'model'}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing", "--out", "new"], "no model 'nothing'"),
        (["lite", "--out", "."], "already exists: name a new folder with --out"),
        (["lite", "--out", "new", "--int8"], "name a dataset with --data"),
        (["lite", "--out", "new", "--int8", "--data", "nowhere"], "nowhere"),
        (["lite", "--out", "new", "--data", "nowhere"], "omit --data, or add --int8"),
        (["lite", "--out", "/proc/new"], "/proc/new cannot be written"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert len([line for line in captured.err.splitlines() if not line.endswith("...")]) == 1
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_the_way_out_is_named(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "from sketchseek.cli import main; main(['export', 'lite', '--out', sys.argv[1]])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "new"], cwd=ROOT / "src", capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"exporting requires torch, which is not installed; run: {extra_command('train')}\n" in done.stderr


def test_what_ships_is_listed_and_says_its_figures() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sketchseek", "models", "--json"], capture_output=True, text=True, check=True
    )
    first = json.loads(done.stdout)[0]
    assert (first["name"], first["kind"], first["here"]) == ("default", "model", True)
    assert sum(file.stat().st_size for file in Path(first["path"]).parent.rglob("*.*")) < 60 * 2**20
