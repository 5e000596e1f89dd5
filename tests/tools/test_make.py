"""What make does outside its folder: a link in the user's own, which replaces nothing of others."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the Makefile and an environment that is up to date."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name in ("python", "sketchseek"):
        (tmp_path / ".venv" / "bin" / name).write_text("#!/bin/sh\necho called\n")
        (tmp_path / ".venv" / "bin" / name).chmod(0o755)
    for name in ("pyproject.toml", "constraints.txt", ".venv/core.stamp"):
        (tmp_path / name).touch()
    return tmp_path


def make(checkout: Path, *targets: str, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"HOME": str(checkout / "home"), "PATH": f"{os.environ['PATH']}{path}"}
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # of the make that runs these tests
        environment.pop(name, None)
    return subprocess.run(["make", *targets], cwd=checkout, env=environment, capture_output=True, text=True)


def test_install_says_where_the_command_is(checkout: Path) -> None:
    assert make(checkout, "install").stdout == (
        "the command is .venv/bin/sketchseek; make link puts a link to it into ~/.local/bin\n"
    )


def test_a_link_is_made_once_and_works(checkout: Path) -> None:
    link = checkout / "home" / ".local" / "bin" / "sketchseek"
    for _ in range(2):
        done = make(checkout, "link")
        assert done.returncode == 0 and done.stdout.startswith(f"the link is {link}; add its folder to your PATH")
        assert subprocess.run([link], capture_output=True, text=True).stdout == "called\n"
    done = make(checkout, "link", path=f"{os.pathsep}{link.parent}")
    assert done.stdout == "sketchseek can be called from anywhere now\n"


@pytest.mark.parametrize("broken", [False, True])
def test_what_belongs_to_others_stays(checkout: Path, broken: bool) -> None:
    link = checkout / "home" / ".local" / "bin" / "sketchseek"
    link.parent.mkdir(parents=True)
    link.symlink_to("/nowhere" if broken else "/bin/sh")
    done = make(checkout, "link")
    assert done.returncode != 0 and "belongs to another installation" in done.stderr
    assert link.readlink() == Path("/nowhere" if broken else "/bin/sh")
