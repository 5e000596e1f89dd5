import json
from pathlib import Path
from typing import Any

import pytest

from sketchseek.training import files, session
from sketchseek.training.recipe import Recipe
from sketchseek.training.session import Outcome
from tests.cli.test_train import SHORT, Run, data, run, toys  # noqa: F401 - fixtures

SWEEP = ("--sweep", "toy-lr=1e-2,1e30,1e-4", "--sweep", "margin=0.2")


def test_a_sweep_trains_each_combination_and_shows_the_best_first(run: Run, data: Path, tmp_path: Path) -> None:  # noqa: F811
    code, out, err = run("toy", "--data", data, *SHORT, *SWEEP, "--out", tmp_path / "sweep")
    assert code == 0, err
    lines = [line.split() for line in out.splitlines()]
    assert lines[0][:4] == ["toy_lr", "margin", "best", "step"]
    assert lines[0][4] == "map@all"
    assert {line[0] for line in lines[1:3]} == {"1e-2", "1e-4"}
    assert float(lines[1][3]) >= float(lines[2][3])
    assert lines[3] == ["1e30", "0.2", "failed"]  # which does not end the others
    assert {folder.name for folder in (tmp_path / "sweep").iterdir()} >= {"toy_lr=1e-2,margin=0.2"}


def test_a_sweep_continues_and_repeats_nothing(
    run: Run,  # noqa: F811
    data: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ("toy", "--data", data, *SHORT, "--sweep", "seed=0,1", "--out", tmp_path / "sweep", "--json")
    trained: list[str] = []

    def train(recipe: Recipe, folder: Path, **more: Any) -> Outcome:
        if len(trained) == 1:
            raise KeyboardInterrupt
        trained.append(folder.name)
        return session.train(recipe, folder, **more)

    with monkeypatch.context() as patch:
        patch.setattr("sketchseek.training.sweep.train", train)
        assert run(*command)[0] != 0
    before = (tmp_path / "sweep" / "seed=0" / files.STATE).stat().st_mtime_ns
    code, out, err = run(*command)
    assert code == 0, err
    assert (tmp_path / "sweep" / "seed=0" / files.STATE).stat().st_mtime_ns == before
    found = json.loads(out)
    assert [trial["values"]["seed"] for trial in sorted(found, key=lambda trial: trial["run"])] == ["0", "1"]
    scores = [trial["best"]["values"]["map@all"] for trial in found]
    assert scores == sorted(scores, reverse=True)
    code, _, err = run(*command, "--set", "margin=0.5")
    assert code == 0
    assert "was begun with another recipe: name another --out" in err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--sweep", "lr"), 1, "--sweep takes key=value,value"),
        (("--sweep", "lr=1", "--sweep", "lr=2"), 1, "--sweep has lr twice"),
        (("--sweep", "margn=1"), 1, "--sweep: a recipe of toy has no key 'margn'; did you mean margin?"),
        (("--sweep", "lr=1", "--set", "validation=none"), 1, "a sweep compares runs by their validation"),
        (("--sweep", "lr=1", "--out", "x", "--resume"), 2, "omit --resume"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: tuple[str, ...],
    code: int,
    said: str,
    run: Run,  # noqa: F811
    data: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    found, _, err = run("toy", "--data", data, *SHORT, *arguments)
    assert found == code
    assert said in err
    assert not (tmp_path / "runs").exists()
