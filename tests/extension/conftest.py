"""A package of another author, installed for a test: with its entry points, and without network or pip."""

import shutil
import tomllib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent / "package"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as pip leaves it: the package's modules, and the entry points of its pyproject.toml as metadata."""
    folder = tmp_path_factory.mktemp("site")
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    shutil.copytree(PACKAGE / "my_package", folder / "my_package", ignore=shutil.ignore_patterns("__pycache__"))
    metadata = folder / f"my_package-{project['version']}.dist-info"
    metadata.mkdir()
    header = f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {project['version']}\n"
    (metadata / "METADATA").write_text(header)
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    return folder


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package is importable in this process."""
    monkeypatch.syspath_prepend(site)
    return site
