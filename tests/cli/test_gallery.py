import json
from pathlib import Path

import pytest

import sketchseek.engine.models
from sketchseek.cli import main
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, png, put


@pytest.fixture(autouse=True)
def photos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.setattr(
        sketchseek.engine.models, "load_search_model", lambda name: GridModel(name.removeprefix("grid-"))
    )
    monkeypatch.setenv("SKETCHSEEK_GALLERY", str(tmp_path / "gallery"))
    fill(tmp_path / "photos", 4)
    put(tmp_path / "photos" / "copy.png", png(0))
    put(tmp_path / "photos" / "broken.png", b"x")
    with pytest.raises(SystemExit):
        main(["index", str(tmp_path / "photos"), "--model", "plain"])
    capsys.readouterr()
    return tmp_path / "photos"


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["gallery", *map(str, arguments)])
    assert isinstance(end.value.code, int)
    return end.value.code


def test_info_says_what_is_there(capsys: pytest.CaptureFixture[str], photos: Path, tmp_path: Path) -> None:
    assert run("info") == 0
    text = capsys.readouterr().out
    assert "4 in 6 files, 1 of them duplicates" in text
    assert "grid-plain: 4 vectors of 65, current" in text
    assert "broken.png: is not a picture of a known format" in text
    assert run("info", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["path", "photos", "files", "duplicates", "bytes", "folders", "models", "cameras", "failed"]
    assert (found["photos"], found["files"], found["duplicates"]) == (4, 6, 1)
    assert found["folders"] == [str(photos)]
    assert found["models"][0] == {
        "name": "grid-plain",
        "identity": "grid/1/plain",
        "size": 65,
        "vectors": 4,
        "current": True,
    }


def test_the_exit_code_of_verify(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("verify") == 0
    assert capsys.readouterr().out == "no problems found\n"
    (index,) = (tmp_path / "gallery").glob("*.faiss")
    index.write_bytes(b"x")
    assert run("verify") == 1
    assert "does not fit the database" in capsys.readouterr().out
    assert run("rebuild") == 0
    assert capsys.readouterr().out == "nothing was damaged; the index files were built again\n"
    assert run("verify") == 0


def test_rebuild_says_what_was_damaged(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "gallery" / "gallery.sqlite"
    data = bytearray(path.read_bytes())
    data[-4096:] = bytes(4096)
    path.write_bytes(data)
    assert run("rebuild") == 0
    assert "the database was damaged: what could be read was kept" in capsys.readouterr().out
    assert run("verify") == 0


def test_forget_leaves_the_files_alone(capsys: pytest.CaptureFixture[str], photos: Path) -> None:
    assert run("forget", photos / "copy.png") == 0
    assert run("forget", photos) == 0
    assert capsys.readouterr().out == "1 file forgotten\n5 files forgotten\n"
    assert len(list(photos.iterdir())) == 6


@pytest.mark.parametrize("verb", [["info"], ["verify"], ["rebuild"], ["forget", "x"]])
def test_a_gallery_that_is_not_there_is_not_made(
    verb: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*verb, "--gallery", tmp_path / "nowhere") == 1
    assert "there is no gallery in" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()
