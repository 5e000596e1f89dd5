"""The container and the systemd unit: what they name exists. The workflow's job `container` builds and runs it."""

import configparser
import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml  # type: ignore[import-untyped]

from sketchseek.cli import cli

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "guide" / "nas.md").read_text(encoding="utf-8")


def instructions(name: str) -> list[str]:
    return re.findall(rf"^ *{name} +(.*)$", DOCKERFILE, re.MULTILINE)


def parsed(arguments: list[str]) -> dict[str, Any]:
    """The options of a command, without running it."""
    context = cli.make_context("sketchseek", list(arguments))
    name, command, rest = cli.resolve_command(context, [*context._protected_args, *context.args])
    assert command is not None
    return command.make_context(name, rest, parent=context).params


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[0] == "*"
    for line in instructions("COPY"):
        if not line.startswith("--from"):
            for source in line.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in ignored, source


def test_the_command_is_one_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    assert json.loads(instructions("ENTRYPOINT")[0]) == ["sketchseek"]
    command = next(json.loads(line) for line in instructions("CMD") if "serve" in line)
    options = parsed(command)
    assert options["folders"] == (Path("/photos"),) and options["browse"] == (Path("/photos"),)
    assert (options["host"], options["port"], options["no_browser"]) == ("0.0.0.0", 8000, True)


def test_the_health_check_is_python_that_asks_a_route_without_a_token() -> None:
    (check,) = re.findall(r"HEALTHCHECK.*?CMD (\[.*\])", DOCKERFILE)
    _, _, program = json.loads(check)
    compile(program, "healthcheck", "exec")
    assert "http://127.0.0.1:8000/healthz" in program


def test_extras_and_user() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (extras,) = re.findall(r"'\.\[([\w,]+)\]'", DOCKERFILE)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    assert instructions("USER") == ["sketchseek"]
    places = dict(re.findall(r"(\w+)=(/data\S*)", instructions("ENV")[0]))
    assert set(places) == {"HOME", "SKETCHSEEK_GALLERY", "SKETCHSEEK_MODELS", "SKETCHSEEK_CACHE", "XDG_CACHE_HOME"}


def test_compose_mounts_photos_for_reading_and_is_explained() -> None:
    service = COMPOSE["services"]["sketchseek"]
    photos, data = service["volumes"]
    assert photos.endswith(":/photos:ro") and data == "data:/data" and "data" in COMPOSE["volumes"]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    for setting in set(re.findall(r"\$\{(\w+)", text)):
        assert re.search(rf"^\|.*`{setting}`", PAGE, re.MULTILINE), setting
    assert service["ports"] == ["${LISTEN:-127.0.0.1:8000}:8000"]


def test_the_unit_starts_a_command_of_ours() -> None:
    (text,) = re.findall(r"```ini\n(.*?)```", PAGE, re.DOTALL)
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign, assignment]
    unit.read_string(text)
    program, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert program == "%h/.local/bin/sketchseek"
    assert parsed(arguments)["no_browser"] is True


@pytest.mark.parametrize("line", re.findall(r"exec sketchseek (sketchseek .*)", PAGE))
def test_commands_inside_the_container_exist(line: str) -> None:
    command: click.Command = cli
    for word in shlex.split(line)[1:]:
        if isinstance(command, click.Group):
            found = command.get_command(click.Context(cli), word)
            assert found is not None, line
            command = found
