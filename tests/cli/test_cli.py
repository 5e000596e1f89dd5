import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

import sketchseek
from sketchseek.cli import VERBS, LazyGroup, cli, main
from sketchseek.cli.doctor import CORE, EXTRAS
from sketchseek.errors import SketchseekError
from tests.cli.help_page import commands, page

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "matplotlib", "sklearn", "torchmetrics")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sketchseek", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )


def imported_by(code: str) -> set[str]:
    """The top-level modules a fresh interpreter holds after running ``code``."""
    script = f"{code}\nimport sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def calling(*arguments: str) -> str:
    call = f"main({list(arguments)!r})"
    return f"from sketchseek.cli import main\ntry: {call}\nexcept SystemExit as end: assert not end.code, end"


def test_version_is_the_package_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"sketchseek, version {sketchseek.__version__}")


def test_help_names_every_verb() -> None:
    done = run("--help")
    assert done.returncode == 0
    for verb, (_, line) in VERBS.items():
        assert verb in done.stdout
        assert line in done.stdout


def test_every_verb_has_the_same_line_in_both_places() -> None:
    with click.Context(cli) as context:
        for verb, (_, line) in VERBS.items():
            command = cli.get_command(context, verb)
            assert command is not None
            assert command.short_help == line


def test_every_option_and_argument_of_every_command_has_help() -> None:
    with click.Context(cli) as context:
        for command, inner in commands(cli, context):
            for parameter in command.params:
                if isinstance(parameter, click.Option):
                    assert parameter.help, f"{inner.command_path}: {parameter.opts} has no help"


def test_docs_show_the_help_as_it_is() -> None:
    assert (ROOT / "docs" / "guide" / "cli.md").read_text(encoding="utf-8") == page(), "run: make docs"


@pytest.mark.parametrize(
    "code", ["import sketchseek", calling("--help"), calling("doctor", "--json"), calling("models", "--json")]
)
def test_starts_without_heavy_modules(code: str) -> None:
    assert not imported_by(code) & set(HEAVY)


def test_import_is_cheap_and_help_imports_no_verb() -> None:
    assert not imported_by("import sketchseek") & {"numpy", "PIL", "click", "rich"}
    assert not imported_by(calling("--help")) & {"numpy", "PIL", "onnxruntime", "faiss"}


def test_starts_without_the_training_and_development_tools(tmp_path: Path) -> None:
    # Modules that cannot be imported simulate a machine where they were never installed.
    blocker = tmp_path / "sitecustomize.py"
    names = (*HEAVY, "safetensors", "pytest", "hypothesis", "pi_heif", "rawpy", "watchfiles", "pymilvus", "ray")
    blocker.write_text(f"import sys\nfor name in {names!r}: sys.modules[name] = None\n")
    for arguments in (("--version",), ("doctor", "--json"), ("models", "--json")):
        done = run(*arguments, PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT / "src")]))
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""


def test_doctor_reports_what_works() -> None:
    done = run("doctor", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["ok"] is True
    assert {check["name"] for check in found["checks"]} == {
        "packages",
        "pictures",
        "onnxruntime",
        "faiss",
        "search model",
        "models",
    }
    assert found["formats"]["jpeg"] is True
    assert found["threads"] >= 1
    assert found["devices"]["cpu"] == "works"
    assert set(found["devices"]) == {"cpu", "cuda", "coreml", "directml", "openvino"}
    plain = run("doctor")
    assert plain.returncode == 0
    assert "--device cpu: works" in plain.stdout
    assert "onnxruntime: providers" in plain.stdout


@pytest.mark.parametrize(
    ("module", "check"),
    [
        ("faiss", "faiss"),
        ("onnxruntime", "onnxruntime"),
        ("numpy", "pictures"),
        ("PIL", "pictures"),
        ("platformdirs", "models"),
        ("huggingface_hub", "models"),
    ],
)
def test_doctor_names_the_broken_piece_and_fails(module: str, check: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{module!r}] = None\n")
    done = run("doctor", PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT / "src")]))
    assert done.returncode == 1
    assert f"FAIL  {check}" in done.stdout
    assert "Traceback" not in done.stderr  # without numpy, faiss prints a message of its own


def test_doctor_continues_if_the_models_cannot_be_listed() -> None:
    done = run("doctor", SKETCHSEEK_MODELS="~no-such-user")
    assert done.returncode == 1
    assert "FAIL  models: SKETCHSEEK_MODELS is ~no-such-user" in done.stdout
    assert done.stderr == ""


def test_doctor_looks_for_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def names(requirements: list[str]) -> tuple[str, ...]:
        return tuple(re.split(r"[\[<>=]", requirement)[0] for requirement in requirements)

    assert names(project["dependencies"]) == CORE
    extras = project["optional-dependencies"]
    tools = {"dev", "docs", "release", "demo"}  # no verb imports these
    assert {extra: names(needed) for extra, needed in extras.items() if extra not in tools} == EXTRAS


def test_models_lists_the_catalogue() -> None:
    found = json.loads(run("models", "--json").stdout)
    assert "openai/clip-vit-base-patch32" in {model["name"] for model in found}
    assert "openai/clip-vit-base-patch32" in run("models").stdout


def test_wrong_usage_is_2_with_one_hint() -> None:
    done = run("fetch-everything")
    assert done.returncode == 2
    assert "No such command" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (SketchseekError("photo.jpg is empty; save it again"), 1, "sketchseek: photo.jpg is empty; save it again\n"),
        (KeyboardInterrupt(), 130, "\nsketchseek: interrupted\n"),
    ],
)
def test_mistakes_end_in_one_sentence(
    raised: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def failing() -> None:
        raise raised

    monkeypatch.setattr(LazyGroup, "get_command", lambda self, context, name: failing)
    with pytest.raises(SystemExit) as end:
        main(["failing"])
    assert end.value.code == code
    assert capsys.readouterr().err == said


def test_a_reader_that_stops_early_gets_no_error() -> None:
    listing = f"{sys.executable} -m sketchseek models --json | true"
    done = subprocess.run(["bash", "-c", listing], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
