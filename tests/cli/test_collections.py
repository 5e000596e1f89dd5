import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

import pytest

import sketchseek.engine.models
from sketchseek.cli import main
from sketchseek.gallery import Gallery
from sketchseek.pictures import sketch_from_strokes
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
    assert run(capfdbinary, "rename", "my birds", "birds")[0] == "my birds is now birds\n"
    assert "no collection 'my birds'" in run(capfdbinary, "rename", "my birds", "x", code=1)[1]
    assert run(capfdbinary, "rename", "birds", "my birds")[0] == "birds is now my birds\n"
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
    odd.unlink()
    out, err = run(capfdbinary, "export", "x", "--copy-to", photos.parent / "rest", code=1)
    assert "1 photo in" in err and "no longer exists" in err
    assert [path.name for path in (photos.parent / "rest").iterdir()] == [other.name]


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


def saved(photos: Path, title: str, **values: object) -> None:
    """As the page saves it: a line in the middle of the sheet, and an address."""
    line = {"width": 12, "xs": [100, 900], "ys": [400, 400], "pressures": [1, 1]}
    query = {"address": urlencode({key: value for key, value in values.items() if value}), "strokes": [line]}
    with Gallery.open(photos.parent / "gallery", GridModel()) as gallery:
        gallery.collections.save_search(title, query)


def test_saved_searches(photos: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert "there are no saved searches" in run(capfdbinary, "searches", "list")[1]
    saved(photos, "a line", drawing="0123", text="red", balance="100", minus="blue, green", fold="no")
    saved(photos, "here", text="red", under="p", look="kind", **{"from": "2000"})
    assert [row.split()[0] for row in run(capfdbinary, "searches", "list")[0].splitlines()[1:]] == ["a", "here"]
    (first, _) = json.loads(run(capfdbinary, "searches", "list", "--json")[0])
    assert (first["name"], first["query"]["strokes"][0]["width"]) == ("a line", 12)
    hits = json.loads(run(capfdbinary, "searches", "run", "a line", "--json", "-k", "2")[0])
    sketch = sketch_from_strokes([[[100, 900], [400, 400]]], sheet=(1000, 800), widths=[1])
    with Gallery.open(photos.parent / "gallery", GridModel()) as gallery:
        expected = gallery.search(sketch=sketch, text="red", minus=["blue", "green"], weights={"sketch": 0}, k=2)
    assert [(hit["id"], hit["path"]) for hit in hits] == [(hit.id, str(hit.path)) for hit in expected]
    assert "no photo" in run(capfdbinary, "searches", "run", "here")[1]  # none has a date
    saved(photos, "files", text="red", name="0001", kind="png")
    (hit,) = json.loads(run(capfdbinary, "searches", "run", "files", "--json")[0])
    assert Path(hit["path"]).name == "00001.png"
    saved(photos, "others", text="red", unlike=f"{hit['id']}:00001.png", look="kind")
    hits = json.loads(run(capfdbinary, "searches", "run", "others", "--json")[0])
    with Gallery.open(photos.parent / "gallery", GridModel()) as gallery:
        expected = gallery.search(text="red", unlike=[hit["id"]], look="kind")
        plain = gallery.search(text="red", look="kind")
    scores = [round(one["score"], 4) for one in hits]
    assert scores == [round(one.score, 4) for one in expected] != [round(one.score, 4) for one in plain]
    stroke = {"width": 26, "xs": [100, 900], "ys": [400, 400], "pressures": [1, 1], "colour": "#2b6cd4"}
    with Gallery.open(photos.parent / "gallery", GridModel()) as gallery:
        query = {"address": "drawing=0123&colours=only&threshold=50", "strokes": [stroke]}
        gallery.collections.save_search("blue", query)
        painted = sketch_from_strokes([[[100, 900], [400, 400]]], sheet=(1000, 800), widths=[2.17], colours=["#2b6cd4"])
        expected = gallery.search(colours=painted)
    hits = json.loads(run(capfdbinary, "searches", "run", "blue", "--json")[0])
    assert [(hit["id"], hit["relevance"]) for hit in hits] == [(hit.id, None) for hit in expected]
    assert run(capfdbinary, "searches", "run", "a line", "--paths0")[0].count("\0") == 3
    assert run(capfdbinary, "searches", "remove", "a line")[0] == "a line removed\n"
    assert "there is no saved search 'a line'" in run(capfdbinary, "searches", "run", "a line", code=1)[1]
    assert "there is no saved search 'a line'" in run(capfdbinary, "searches", "remove", "a line", code=1)[1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"text": "red", "photo": "123"}, "uses a picture that only the browser has"),
        ({"text": "red", "under": "gone"}, "is for the folder gone, which has gone"),
        ({"text": "red", "drawing": "1", "balance": "much"}, "is not one that the page of this version saves"),
        ({"under": "p"}, "is not one that the page of this version saves"),
    ],
)
def test_saved_searches_that_cannot_run(
    values: dict[str, str], message: str, photos: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    saved(photos, "mine", **values)
    out, err = run(capfdbinary, "searches", "run", "mine", code=1)
    assert out == "" and message in err
