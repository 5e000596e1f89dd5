"""README and docs: links lead somewhere, the commands shown exist with their options, the Python runs."""

import re
import shlex
from pathlib import Path

import click
import pytest
from PIL import Image

from sketchseek.cli import cli

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
INVENTED = "docs/extending.md"  # shows a command that does not exist yet
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M1 1 8 8" stroke="black"/></svg>'


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def shown_commands(page: Path) -> set[str]:
    """Lines of code blocks and spans that call sketchseek, without prompt, comment and continuation."""
    text = page.read_text(encoding="utf-8")
    lines = re.findall(r"^(?: {4,}|\$ )(?:\$ )?(sketchseek .*)$", text, re.MULTILINE)
    return {line.rstrip("\\") for line in [*lines, *re.findall(r"`(sketchseek [^`\n]+)`", text)]}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", [page for page in PAGES if name(page) != INVENTED], ids=name)
def test_shown_commands_exist(page: Path) -> None:
    for line in shown_commands(page):
        words = [word for word in shlex.split(line.replace("...", ""), comments=True)[1:] if word != "|"]
        command: click.Command = cli
        context = click.Context(cli)
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            found = command.get_command(context, words.pop(0))
            assert found is not None, line
            command = found
        known = {option for parameter in command.params for option in parameter.opts + parameter.secondary_opts}
        used = {word.partition("=")[0] for word in words if re.fullmatch(r"--?[a-z][\w-]*(=.*)?", word)}
        assert used <= known | {"-h", "--help", "--version"}, line


def test_shown_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        shown = set(re.findall(r"(?:^ {4}|`)make ([a-z]+)\b", page.read_text(encoding="utf-8"), re.MULTILINE))
        assert shown <= targets, name(page)


@pytest.mark.parametrize("page", ["README.md", "docs/guide/first-search.md"])
def test_python_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "bicycle.svg").write_text(SVG)
    photos = tmp_path / "build" / "demo" / "openmoji"
    photos.mkdir(parents=True)
    for shade in (40, 120, 200):
        Image.new("RGB", (64, 48), (shade, 90, 60)).save(photos / f"{shade}.png")
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    assert "hits" in names


def test_the_licence_of_the_weights_stands_where_they_are_offered() -> None:
    for page in ("README.md", "docs/index.md", "docs/guide/better-models.md", "docs/guide/troubleshooting.md"):
        assert re.search(r"research(-only| only)", (ROOT / page).read_text(encoding="utf-8")), page
