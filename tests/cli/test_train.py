import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sketchseek.cli import main
from sketchseek.installation import extra_command
from sketchseek.methods.registry import METHODS
from sketchseek.training import backbones, files
from tests.training.toys import Toy, ToyBackbone, use_toys, write_data

SHORT = ("--backbone", "toy", "--set", "epochs=2", "--set", "batch=8")


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setitem(METHODS, "toy", f"{Toy.__module__}:Toy")
    monkeypatch.setattr(backbones, "load_backbone", lambda name, **_: ToyBackbone())
    monkeypatch.setenv("SKETCHSEEK_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("toy") / "data")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Call the command; gives exit code, stdout, stderr."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(["train", *map(str, arguments)])
        shown = capsys.readouterr()
        return int(end.value.code or 0), shown.out, shown.err

    return call


Run = Callable[..., tuple[int, str, str]]


def test_pickles_are_trusted_only_when_allowed(
    run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = []

    def load(name: str, *, trust_pickle: bool) -> ToyBackbone:
        trusted.append(trust_pickle)
        return ToyBackbone()

    monkeypatch.setattr(backbones, "load_backbone", load)
    for number, more in enumerate(((), ("--trust-pickle",))):
        code, _, err = run("toy", "--data", data, *SHORT, "--out", tmp_path / str(number), *more)
        assert code == 0, err
    assert trusted == [False, True]


def test_it_trains_and_says_what_to_do_next(run: Run, data: Path, tmp_path: Path) -> None:
    code, out, err = run("toy", "--data", data, *SHORT, "--out", tmp_path / "run")
    assert code == 0, err
    assert [line.rsplit("  ", 1)[0].strip() for line in out.splitlines()] == [
        "run",
        "trained parameters",
        "best step",
        "validation map@all",
    ]
    assert f"next: sketchseek evaluate --model {tmp_path / 'run'} --data {data} --protocol zero-shot" in err
    assert "epoch 2  step 10/12  loss " in err
    assert "validation after step 12: map@all" in err


def test_json_is_one_document_on_stdout(run: Run, data: Path, tmp_path: Path) -> None:
    code, out, _ = run("toy", "--data", data, *SHORT, "--setting", "fine-grained", "--out", tmp_path / "run", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["method"], found["setting"], found["steps"]) == ("toy", "fine-grained", 12)
    assert found["best"]["metric"] == "acc@1"
    assert found["best"]["values"]["acc@1"] >= 0


def test_without_out_a_free_folder_below_runs_is_taken(
    run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert run("toy", "--data", data, *SHORT, "--set", "steps=1")[0] == 0
    assert sorted(one.name for one in (tmp_path / "runs").iterdir()) == [
        "toy-category-data-seed0",
        "toy-category-data-seed0-2",
    ]


def test_a_recipe_repeats_a_run(run: Run, data: Path, tmp_path: Path) -> None:
    assert run("toy", "--data", data, *SHORT, "--set", "margin=0.4", "--out", tmp_path / "one")[0] == 0
    assert run("--recipe", tmp_path / "one" / "recipe.toml", "--out", tmp_path / "two")[0] == 0
    for name in (files.ADAPTER, files.RECIPE):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert run("--recipe", tmp_path / "one", "--set", "seed=3", "--out", tmp_path / "three")[0] == 0
    assert (tmp_path / "one" / files.ADAPTER).read_bytes() != (tmp_path / "three" / files.ADAPTER).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["toy"], 2, "name a METHOD and its --data, or a --recipe, or --out RUN --resume"),
        (["--resume"], 2, "--resume requires --out RUN"),
        (["tyo", "--data", "DATA"], 1, "there is no method 'tyo': choose toy"),
        (["toy", "--data", "DATA", "--set", "epoch=3"], 1, "has no key 'epoch'; did you mean epochs?"),
        (["toy", "--data", "DATA", "--set", "epochs"], 1, "--set takes key=value"),
        (["toy", "--data", "DATA", "--preset", "papr"], 1, "toy has no preset 'papr': choose default"),
        (["toy", "--data", "NOWHERE"], 1, "NOWHERE"),
        (["--resume", "--out", "NOWHERE"], 1, "NOWHERE holds no run to continue"),
        (["--recipe", "NOWHERE"], 1, "there is no recipe"),
    ],
)
def test_mistakes_are_one_sentence(arguments: list[str], code: int, said: str, run: Run, data: Path) -> None:
    found, out, err = run(*[str(data) if one == "DATA" else one for one in arguments])
    assert (found, out) == (code, "")
    assert said in err
    assert "Traceback" not in err
    assert code == 2 or len(err.splitlines()) == 1


def test_going_on_with_a_run(run: Run, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert run("toy", "--data", data, *SHORT, "--out", folder)[0] == 0
    code, out, err = run("--out", folder, "--resume")
    assert code == 0
    assert "was finished already" in err
    assert "validation map@all" in out
    code, out, err = run("--out", folder, "--resume", "--epochs", "4", "--json")
    assert (code, json.loads(out)["steps"]) == (0, 24), err
    code, _, err = run("--out", folder, "--resume", "--steps", "30")
    assert code == 0, err
    code, _, err = run("--out", folder, "--resume", "--epochs", "1")
    assert code == 1
    assert "has trained 30 steps, and this recipe ends after 6: name more --epochs or --steps" in err
    code, _, err = run("toy", "--out", folder, "--resume", "--set", "lr=1e-3")
    assert code == 1
    assert "was begun with another recipe (lr differ)" in err
    code, _, err = run("clip-at", "--out", folder, "--resume")
    assert "trains toy, not clip-at" in err
    code, _, err = run("toy", "--data", data, *SHORT, "--out", folder)
    assert "already holds a run: continue it with --resume" in err


def test_without_torch_it_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sketchseek.cli.train.find_spec", lambda name: None if name == "torch" else object())
    code, _, err = run("toy", "--data", "x")
    assert code == 1
    assert err == f"sketchseek: training requires torch; run: {extra_command('train')}\n"


def work(arguments: list[str], said: str) -> None:
    """A process of its own, which a signal can reach."""
    use_toys()
    sys.stderr = Path(said).open("w")  # noqa: SIM115
    main(arguments)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_go_on(number: signal.Signals, data: Path, run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    begin = ["train", "toy", "--data", str(data), *SHORT, "--out", str(folder)]
    begin += ["--set", "pause=0.01", "--set", "epochs=1000", "--set", "validate_every=1000"]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=work, args=(begin, str(tmp_path / "said")))
    process.start()
    while process.is_alive() and not ((folder / files.LOG).is_file() and (folder / files.LOG).stat().st_size > 100):
        time.sleep(0.005)
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode == 130
    said = (tmp_path / "said").read_text().splitlines()[-1]
    assert said.startswith("sketchseek: stopped after step ")
    go_on = said.partition("continue with: sketchseek ")[2]
    assert go_on == f"train --out {folder} --resume"
    assert (folder / files.STATE).is_file()
    assert (folder / files.CURVES).is_file()
