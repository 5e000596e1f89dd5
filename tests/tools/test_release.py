"""What releases need: pins made from the lock, a wheel that holds what it should, workflows that are well formed."""

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_constraints_are_made_from_the_lock() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    made = tool("constraints").pins(lock)
    written = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in written if not line.startswith("#")] == made, "run: make lock"
    assert len(made) > 100
    assert all("==" in line for line in made)
    assert lock.count("--hash=sha256:") > len(made)


def write_wheel(path: Path, *names: str) -> str:
    with zipfile.ZipFile(path, "w") as wheel:
        for name in names:
            wheel.writestr(name, b"x")
    return str(path)


def test_a_wheel_is_checked(tmp_path: Path) -> None:
    check = tool("check_wheel")
    whole = (*check.NEEDED, "sketchseek-0.1.0.dist-info/METADATA")
    assert check.faults(write_wheel(tmp_path / "good.whl", *whole)) == []
    wrong = write_wheel(tmp_path / "bad.whl", *whole[1:], "sketchseek/models/clip.pt", "tests/test_a.py")
    assert check.faults(wrong) == [
        "sketchseek/models/default/photo.onnx is missing",
        "sketchseek/models/clip.pt does not belong there",
        "tests/test_a.py does not belong there",
    ]


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("github-workflows", [".github/workflows/ci.yml", ".github/workflows/release.yml"]),
        ("github-issue-forms", [".github/ISSUE_TEMPLATE/bug.yml", ".github/ISSUE_TEMPLATE/idea.yml"]),
        ("github-issue-config", [".github/ISSUE_TEMPLATE/config.yml"]),
        ("citation-file-format", ["CITATION.cff"]),
    ],
)
def test_files_for_others_fit_their_schemas(schema: str, files: list[str]) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    done = subprocess.run([*command, *(str(ROOT / file) for file in files)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
