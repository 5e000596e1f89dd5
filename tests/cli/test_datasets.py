import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sketchseek.cli import main
from sketchseek.datasets import files_hash, known_splits, names_hash, open_dataset
from tests.datasets.trees import simple, write


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["datasets", *arguments])
    said = capsys.readouterr()
    assert isinstance(end.value.code, int)
    return end.value.code, said.out, said.err


def call_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    code, out, _ = call(capsys, *arguments, "--json")
    return code, json.loads(out)


def test_check_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simple(tmp_path, "cat", "cow")
    write(tmp_path, "photo/cat/text.jpg", "x")
    write(tmp_path, "photo/cat/empty.jpg", "")
    code, out, err = call(capsys, "check", str(tmp_path))
    assert (code, err) == (0, "")
    assert f"{tmp_path}: custom, read as the layout simple\n" in out
    assert "2 classes, 5 photos, 4 sketches, 4 of them drawn from a photo that is here" in out
    assert "files of 0 bytes, skipped (1): photo/cat/empty.jpg" in out
    assert "photo/cat/text.jpg (does not begin like a picture)" in out
    assert "published" in out
    assert f"\nall      {names_hash(open_dataset(tmp_path), ['cat', 'cow'])}" in out


def test_check_names_missing_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "check", str(simple(tmp_path, "cat")), "--as", "sketchy", "--fast")
    assert code == 0
    assert "missing classes: airplane, alarm_clock, ant," in out
    assert "No file was opened" in out
    assert "57,587 or 62,787  differs" in out


def test_check_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simple(tmp_path, "cat", "cow")
    write(tmp_path, "photo/cat/text.jpg", "x")
    code, found = call_json(capsys, "check", str(tmp_path), "--as", "quickdraw")
    assert code == 0
    assert (found["dataset"], found["layout"], found["usable"], found["read"]) == (
        "quickdraw",
        "simple",
        True,
        "beginnings",
    )
    assert (found["classes"], found["sketches"], found["photos"], found["pairs"]) == (2, 4, 5, 4)
    assert len(found["missing_classes"]) == 108
    hashes = {one["classes"]: (one["names"], one["files"]) for one in found["hashes"]}
    assert hashes.keys() >= {"all", "quickdraw-30:unseen"}
    assert hashes["all"] == (names_hash(open_dataset(tmp_path), ["cat", "cow"]), None)
    problems = {problem["kind"]: problem for problem in found["problems"]}
    assert problems["broken"]["count"] == 1
    assert problems["broken"]["examples"] == ["photo/cat/text.jpg (does not begin like a picture)"]
    counts = {(count["classes"], count["what"]): count for count in found["counts"]}
    assert counts["quickdraw-30:unseen", "sketches"] == {
        "classes": "quickdraw-30:unseen", "what": "sketches", "here": 2, "published": [92291], "agrees": False,
    }  # fmt: skip


@pytest.mark.parametrize(("option", "read"), [((), "beginnings"), (("--fast",), "names"), (("--verify",), "pictures")])
def test_depths(tmp_path: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, ...], read: str) -> None:
    _, found = call_json(capsys, "check", str(simple(tmp_path)), *option)
    assert found["read"] == read
    dataset = open_dataset(tmp_path)
    assert found["hashes"][0]["files"] == (files_hash(dataset, dataset.classes) if read == "pictures" else None)
    assert found["problems"] == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that takes any bytes as a name")
def test_names_that_no_terminal_can_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simple(tmp_path)
    for name in (b"\xff\xfe.jpg", b"red\x1b[31m.jpg"):
        Path(os.fsdecode(os.fsencode(tmp_path / "photo/cat") + b"/" + name)).write_bytes(b"broken")
    code, out, _ = call(capsys, "check", str(tmp_path))
    assert code == 0
    assert "\x1b" not in out
    assert "pictures that cannot be opened; evaluation and training stop at them (2): " in out
    _, found = call_json(capsys, "check", str(tmp_path))
    assert found["problems"][0]["count"] == 2


def test_nothing_recognised_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "check", str(tmp_path))
    assert (code, out) == (1, "")
    assert err.startswith("sketchseek: ")
    assert "has no known layout" in err
    assert call(capsys, "check", str(tmp_path / "gone"))[0] == 1
    assert "no dataset called 'x'" in call(capsys, "check", str(simple(tmp_path)), "--as", "x")[2]


def test_nothing_that_opens_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simple(tmp_path)
    for file in (tmp_path / "photo").rglob("*.jpg"):
        file.write_text("broken")
    code, out, _ = call(capsys, "check", str(tmp_path))
    assert code == 1
    assert "cannot be used" in out
    assert call(capsys, "check", str(tmp_path), "--fast")[0] == 0


def test_splits(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "splits")
    assert code == 0
    for split in known_splits().values():
        line = next(line for line in out.splitlines() if line.startswith(f"{split.name} "))
        assert all(alias in line for alias in split.aliases)
    _, found = call_json(capsys, "splits")
    by_name = {split["name"]: split for split in found}
    assert by_name.keys() == known_splits().keys()
    assert "bat" in by_name["sketchy-21"]["unseen"]
    assert len(by_name["sketchy25-to-quickdraw-11"]["unseen"]) == 11
    assert by_name["sketchy25-to-quickdraw-11"]["source"] == "sketchy-25"


def test_neither_torch_nor_a_terminal_is_needed(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom sketchseek.cli import main\n"
        f"try: main(['datasets', 'check', {str(simple(tmp_path))!r}, '--verify'])\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'torch', 'transformers', 'rich'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
