import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sketchseek.engine.models
from sketchseek.cli import main
from sketchseek.gallery import Gallery
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, png, put

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def photos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(sketchseek.engine.models, "load_search_model", lambda name: GridModel())
    monkeypatch.setenv("SKETCHSEEK_GALLERY", str(tmp_path / "gallery"))
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "p", 3)
    with Gallery.open(tmp_path / "gallery", GridModel()) as gallery:
        gallery.add(tmp_path / "p")
    return tmp_path / "p"


def run(capfdbinary: pytest.CaptureFixture[bytes], *arguments: object, code: int = 0) -> tuple[str, str]:
    with pytest.raises(SystemExit) as end:
        main(["collections", *map(str, arguments)])
    captured = capfdbinary.readouterr()
    assert end.value.code == code, captured
    return os.fsdecode(captured.out), captured.err.decode()


def test_a_collection_from_making_to_deleting(photos: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    names = sorted(path for path in photos.rglob("*") if path.is_file())
    assert "there are no collections" in run(capfdbinary, "list")[1]
    assert run(capfdbinary, "add", "my birds", *names[:2])[0] == "2 photos added to my birds\n"
    assert run(capfdbinary, "add", "my birds", names[1].relative_to(photos.parent))[0] == "0 photos added to my birds\n"
    assert run(capfdbinary, "list")[0].splitlines()[1].split() == ["my", "birds", "2", "0"]
    (listed,) = json.loads(run(capfdbinary, "list", "--json")[0])
    assert (listed["name"], listed["photos"], listed["missing"]) == ("my birds", 2, 0)
    shown = json.loads(run(capfdbinary, "show", "my birds", "--json")[0])
    assert [one["path"] for one in shown] == [str(name) for name in names[:2]]
    assert run(capfdbinary, "show", "my birds")[0].splitlines()[1].split() == [shown[0]["id"], str(names[0])]
    assert run(capfdbinary, "remove", "my birds", shown[0]["id"])[0] == "1 photo removed from my birds\n"
    names[1].unlink()
    with Gallery.open(photos.parent / "gallery", GridModel()) as gallery:
        gallery.add(photos)
    assert "1 photo more cannot be found" in run(capfdbinary, "show", "my birds")[1]
    assert run(capfdbinary, "delete", "my birds")[0] == "my birds deleted\n"
    assert "there are no collections" in run(capfdbinary, "list")[1]


def test_export_prints_copies_and_links(photos: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    odd = put(photos / "a\n\udcff.png", png(9))
    with Gallery.open(photos.parent / "gallery", GridModel()) as gallery:
        gallery.add(photos)
    other = photos.parent / "p" / next(path.name for path in photos.iterdir() if path != odd and path.is_file())
    run(capfdbinary, "add", "x", odd, other)
    before = {path: path.read_bytes() for path in photos.iterdir()}
    assert run(capfdbinary, "export", "x")[0] == f"{odd}\n{other}\n"
    assert run(capfdbinary, "export", "x", "--paths0")[0] == f"{odd}\0{other}\0"
    assert [one["path"] for one in json.loads(run(capfdbinary, "export", "x", "--json")[0])] == [str(odd), str(other)]
    for option, linked in (("--copy-to", False), ("--link-to", True)):
        out, err = run(capfdbinary, "export", "x", option, photos.parent / option)
        assert (out, err) == ("", f"sketchseek: 2 photos in {photos.parent / option}\n")
        made = photos.parent / option / odd.name
        assert made.is_symlink() == linked and made.read_bytes() == odd.read_bytes()
    assert {path: path.read_bytes() for path in photos.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["show", "nothing"], 1, "there is no collection 'nothing'."),
        (["add", "x", "nowhere.png"], 1, "nowhere.png is not in the gallery"),
        (["add", "x", "f" * 16], 1, "has no photo 'ffffffffffffffff'"),
        (["add", "x"], 2, "Missing argument 'PHOTO...'"),
        (["lsit"], 2, "No such command 'lsit'. Did you mean list?"),
        (["export", "x", "--paths0", "--json"], 2, "exclude each other"),
        (["export", "x", "--copy-to", "p/deeper"], 1, "is in the indexed folder"),
        (["export", "x", "--link-to", "again"], 1, "is in the indexed folder"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: list[str], code: int, message: str, photos: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (photos.parent / "again").symlink_to(photos)
    if arguments[0] == "export":
        run(capfdbinary, "add", "x", next(path for path in photos.iterdir() if path.is_file()))
    out, err = run(capfdbinary, *arguments, code=code)
    assert out == "" and message in err
    assert not (photos / "deeper").exists()


def test_a_search_leads_into_a_collection(photos: Path, tmp_path: Path) -> None:
    """As in a shell: search --paths0 | xargs -0 collections add."""
    cli = [sys.executable, "-m", "tests.gallery.run_cli"]
    environment = os.environ | {"SKETCHSEEK_GALLERY": str(tmp_path / "gallery")}
    search = [*cli, "search", "--text", "red", "-k", "2", "--paths0"]
    found = subprocess.run(search, cwd=ROOT, env=environment, capture_output=True, check=True).stdout
    add = ["xargs", "-0", *cli, "collections", "add", "found"]
    done = subprocess.run(add, cwd=ROOT, env=environment, input=found, capture_output=True, check=True)
    assert done.stdout == b"2 photos added to found\n"
