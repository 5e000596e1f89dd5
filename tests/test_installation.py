"""The commands that install an extra, and one that is run for real in an environment of its own."""

import json
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sketchseek import installation
from sketchseek.installation import extra_command, install_command, requirements, uninstall_command

ROOT = Path(__file__).parent.parent


class Installed:
    """A distribution whose ``direct_url.json`` (PEP 610) is this text."""

    def __init__(self, origin: object) -> None:
        self.origin = origin

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return None if self.origin is None else json.dumps(self.origin)


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty environment with pip, with sketchseek from the index."""
    folder = tmp_path / "sketchseek"
    folder.mkdir()
    monkeypatch.setattr(sys, "prefix", str(folder))
    monkeypatch.setattr(sys, "executable", "/env/bin/python")
    monkeypatch.setattr(installation, "distribution", lambda _: Installed(None))
    return folder


def test_an_extra_is_what_the_project_says() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    names = ("raw", "watch", "milvus", "ray")
    assert {name: requirements(name) for name in names} == {name: extras[name] for name in names}


def required(lines: Iterable[str]) -> set[str]:
    """Names of the packages that these requirements bring here, those of other packages included."""
    found: set[str] = set()
    waiting = [Requirement(line) for line in lines]
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if name not in found and (one.marker is None or one.marker.evaluate({"extra": ""})):
            found.add(name)
            waiting += map(Requirement, metadata.requires(name) or [])
    return found


def test_the_extra_clip_adds_two_packages_of_at_most_30_mb() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    added = required(project["optional-dependencies"]["clip"]) - required(project["dependencies"])
    assert added == {"onnx", "ml-dtypes"}
    paths = [Path(str(path.locate())) for name in added for path in metadata.files(name) or []]
    size = sum(path.stat().st_size for path in paths if path.suffix != ".pyc")
    print(f"the extra clip: {size / 1e6:.0f} MB")
    assert size <= 30e6


def test_pip_of_this_environment(environment: Path) -> None:
    assert install_command("rawpy>=0.25") == "/env/bin/python -m pip install 'rawpy>=0.25'"
    assert extra_command("raw") == f"/env/bin/python -m pip install {shlex.join(requirements('raw'))}"
    assert uninstall_command("onnxruntime") == "/env/bin/python -m pip uninstall --yes onnxruntime"


def test_pipx(environment: Path) -> None:
    (environment / "pipx_metadata.json").write_text("{}")
    assert install_command("rawpy") == "pipx inject sketchseek rawpy"
    assert uninstall_command("onnxruntime") == "pipx runpip sketchseek uninstall --yes onnxruntime"


def test_uv_tool(environment: Path) -> None:
    (environment / "uv-receipt.toml").write_text("")
    assert install_command("rawpy") == "uv pip install --python /env/bin/python rawpy"
    assert uninstall_command("onnxruntime") == "uv pip uninstall --python /env/bin/python onnxruntime"


def test_an_environment_without_pip(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "find_spec", lambda _: None)
    assert install_command("rawpy") == "uv pip install --python /env/bin/python rawpy"


def test_a_checkout_has_the_tested_versions(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = environment.parent / "my checkout"
    checkout.mkdir()
    origin = {"url": checkout.as_uri(), "dir_info": {"editable": True}}
    monkeypatch.setattr(installation, "distribution", lambda _: Installed(origin))
    assert "--constraint" not in install_command("rawpy")
    (checkout / "constraints.txt").write_text("")
    assert install_command("rawpy").endswith(f" rawpy --constraint '{checkout}/constraints.txt'")
    wheel = {"url": (checkout / "sketchseek.whl").as_uri(), "archive_info": {}}
    monkeypatch.setattr(installation, "distribution", lambda _: Installed(wheel))
    assert "--constraint" not in install_command("rawpy")


def test_the_python_of_the_system(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(environment))
    assert "--break-system-packages" not in install_command("rawpy")
    (environment / "EXTERNALLY-MANAGED").write_text("")
    assert "--break-system-packages" in install_command("rawpy")


def test_windows(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", r"C:\My env\python.exe")
    monkeypatch.setattr(installation, "_tested_versions", lambda: None)
    monkeypatch.setattr(installation, "_quoted", installation._quoted_for_windows)
    assert install_command("rawpy>=0.25") == r'"C:\My env\python.exe" -m pip install "rawpy>=0.25"'


def test_the_command_is_one_that_works_here() -> None:
    """In the environment of the tests: everything of the extra is there, so pip has nothing to download."""
    command = shlex.split(extra_command("watch"))
    done = subprocess.run([*command, "--no-index", "--disable-pip-version-check"], capture_output=True, text=True)
    assert done.returncode == 0 and "already satisfied: watchfiles" in done.stdout, done.stdout + done.stderr
