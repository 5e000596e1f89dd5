import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import sketchseek.engine.models
from sketchseek.cli import main, search
from sketchseek.gallery import Gallery
from sketchseek.neighbours import LOOKS
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, flat, jpeg, png, put

LINE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><path d="M1 1 9 9" stroke="black"/></svg>'


@pytest.fixture(autouse=True)
def photos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A gallery of 12 photos, the default one."""
    monkeypatch.setattr(
        sketchseek.engine.models, "load_search_model", lambda name: GridModel(name.removeprefix("grid-"))
    )
    monkeypatch.setenv("SKETCHSEEK_GALLERY", str(tmp_path / "gallery"))
    photos = tmp_path / "photos"
    fill(photos / "noise", 8)
    put(photos / "red.png", flat((220, 30, 30)))
    put(photos / "blue.png", flat((30, 60, 220)))
    put(photos / "2020.jpg", jpeg(1, taken="2020:05:06 07:08:09"))
    put(photos / "2021.jpg", jpeg(2, taken="2021:05:06 07:08:09"))
    with pytest.raises(SystemExit):
        main(["index", str(photos), "--model", "plain"])
    capsys.readouterr()
    return photos


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["search", *map(str, arguments)])
    assert isinstance(end.value.code, int)
    return end.value.code


def found(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[dict[str, Any]]:
    assert run(*arguments, "--json") == 0
    hits: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return hits


def names(hits: list[dict[str, Any]]) -> list[str]:
    return [Path(hit["path"]).name for hit in hits]


def test_json_is_a_list_with_these_keys(capsys: pytest.CaptureFixture[str], photos: Path) -> None:
    hits = found(capsys, "--text", "red", "-k", 3)
    assert [list(hit) for hit in hits] == [["path", "score", "relevance", "id"]] * 3
    assert hits[0]["path"] == str(photos / "red.png")
    assert hits[0]["score"] == pytest.approx(1, abs=1e-3)
    assert hits[0]["relevance"] > 0.5


def test_people_get_a_table(capsys: pytest.CaptureFixture[str], photos: Path) -> None:
    assert run("--text", "red", "-k", 2) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0].split() == ["score", "relevance", "path"]
    score, relevance, path = lines[1].split()
    assert (score, path) == ("1.000", str(photos / "red.png"))
    assert relevance.endswith("%") and 50 < int(relevance[:-1]) <= 100
    assert len(lines) == 3
    assert captured.err == ""


def test_drawings_words_photos_and_minus_terms_compose(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing = tmp_path / "line.svg"
    drawing.write_text(LINE)
    assert len(found(capsys, drawing)) == 12
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LINE.encode())))
    assert found(capsys, "-") == found(capsys, drawing)
    assert names(found(capsys, "--photo", photos / "noise" / "00003.png"))[0] == "00003.png"
    assert names(found(capsys, drawing, "--text", "red", "--weight", "text=5"))[0] == "red.png"
    assert "red.png" not in names(found(capsys, "--text", "blue", "--minus", "red", "-k", 5))


def test_filters(capsys: pytest.CaptureFixture[str], photos: Path) -> None:
    assert set(names(found(capsys, "--text", "red", "--under", photos / "noise"))) == {f"{n:05}.png" for n in range(8)}
    for taken, expected in (
        ("2020", {"2020.jpg"}),
        ("2020..2021-05", {"2020.jpg", "2021.jpg"}),
        ("..2020", {"2020.jpg"}),
        ("2021..", {"2021.jpg"}),
        ("2019", set()),
    ):
        assert set(names(found(capsys, "--text", "red", "--taken", taken))) == expected
    assert names(found(capsys, "--text", "red", "--min-score", "0.9")) == ["red.png"]


def test_a_camera_that_took_no_photo_is_an_error_with_similar_ones(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras = {"NIKON D90": 2, "Canon EOS 5D": 1}
    monkeypatch.setattr("sketchseek.gallery.embedded.gallery.EmbeddedGallery.cameras", lambda _: cameras)
    for camera, hint in (
        ("nikon", "perhaps you mean NIKON D90"),
        ("Cannon EOS 5D", "perhaps you mean Canon EOS 5D"),
        ("Sony", "sketchseek gallery info lists the cameras"),
    ):
        assert run("--text", "red", "--camera", camera) == 1
        assert f"no photo of this gallery names the camera {camera!r}; {hint}" in capsys.readouterr().err
    assert run("--text", "red", "--camera", "NIKON D90") == 0


def test_look_orders_the_hits(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    drawing = tmp_path / "line.svg"
    drawing.write_text(LINE)
    assert set(search.LOOKS) == set(LOOKS)
    with Gallery.open(model=GridModel("plain"), readonly=True) as gallery:
        expected = {look: [hit.id for hit in gallery.search(sketch=drawing, look=look)] for look in LOOKS}
    shown = {look: [hit["id"] for hit in found(capsys, drawing, "--look", look)] for look in LOOKS}
    assert shown == expected
    assert [hit["id"] for hit in found(capsys, drawing)] == shown["both"]
    assert shown["kind"] != shown["direct"]


def test_nothing_similar_enough_is_said_as_such(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("--text", "red", "--under", tmp_path / "photos" / "noise", "--min-score", 0.99) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "sketchseek: nothing similar enough among 12 photos\n")
    assert found(capsys, "--text", "red", "--under", tmp_path / "photos" / "noise", "--min-score", 0.99) == []


def test_weak_hits_are_said_to_be_only_the_nearest(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fill(tmp_path / "many", 100)
    put(tmp_path / "many" / "red.png", flat((220, 30, 30)))
    with pytest.raises(SystemExit):
        main(["index", str(tmp_path / "many"), "--model", "plain"])
    capsys.readouterr()
    best = found(capsys, "--text", "red", "-k", 1)[0]
    assert best["path"].endswith("red.png")
    assert best["relevance"] > 0.1
    assert run("--text", "red") == 0
    assert capsys.readouterr().err == ""
    weak = found(capsys, "--text", "red", "--under", tmp_path / "many", "-k", 200)[-1]
    assert weak["relevance"] < 0.1


def test_a_cold_search_by_drawing_imports_no_more_than_it_needs(tmp_path: Path, photos: Path) -> None:
    """With the model that ships: no tokenizer for a drawing, no progress bar, no page, no network."""
    drawing = tmp_path / "line.svg"
    drawing.write_text(LINE)
    script = (
        "import sys; from sketchseek.cli import main\n"
        "for arguments in (['index', sys.argv[1], '--gallery', 'g'], ['search', sys.argv[2], '--gallery', 'g']):\n"
        "    try: main(arguments)\n"
        "    except SystemExit as end: assert end.code == 0, end.code\n"
        "print(*{name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, photos, drawing], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    imported = set(ended.stdout.splitlines()[-1].split())
    assert {"sketchseek", "click", "numpy", "PIL", "faiss", "onnxruntime"} <= imported
    needless = {
        "tokenizers",
        "rich",
        "jinja2",
        "fastapi",
        "uvicorn",
        "huggingface_hub",
        "httpx",
        "resvg_py",
        "pymilvus",
    }
    assert imported & (needless | {"torch", "transformers", "scipy", "sympy", "matplotlib", "watchfiles"}) == set()


def test_colours_of_a_file_count(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    put(tmp_path / "pen.png", flat((43, 108, 212)))
    assert names(found(capsys, "--colours", tmp_path / "pen.png", "-k", 1)) == ["blue.png"]
    assert names(found(capsys, "--text", "red", "--colours", tmp_path / "pen.png", "-k", 1)) == ["blue.png"]
    assert run("--colours", tmp_path / "pen.png", "-k", 1) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[1].endswith("blue.png")  # no relevance
    put(tmp_path / "pencil.png", flat((90, 90, 90)))
    assert run("--colours", tmp_path / "pencil.png") == 1
    assert "pencil.png: has no colours; draw with a coloured pen" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["png", "html"])
def test_a_sheet_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path, suffix: str) -> None:
    sheet = tmp_path / f"sheet.{suffix}"
    assert len(found(capsys, "--text", "red", "--sheet", sheet)) == 12
    if suffix == "png":
        Image.open(sheet).verify()
    else:
        assert sheet.read_text().count("<figure") == 12


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "name a drawing, or use --text, --photo or --colours"),
        (["nowhere.png"], 1, "nowhere.png: there is no such file"),
        (["--text", "red", "--gallery", "nowhere"], 1, "there is no gallery in"),
        (["--text", "red", "--model", "other"], 1, "were made by grid-plain"),
        (["--text", "red", "--weight", "text"], 1, "write KIND=NUMBER"),
        (["--text", "red", "--weight", "words=1"], 1, "no query term 'words'"),
        (["--text", "red", "--taken", "yesterday"], 1, "'yesterday' is not a date"),
        (["--text", "red", "--sheet", "sheet.gif"], 1, "a sheet is a .png or .html file"),
        (["--text", "red", "-k", "0"], 2, "0 is not in the range"),
        (["--text", "red", "--min-score", "2"], 2, "2.0 is not in the range"),
        (["--text", "red", "--kind", "svg"], 1, "kind is 'svg'; choose from jpeg, png"),
        (["red", "car"], 1, 'red: there is no such file; to search for words, write --text "red car"'),
        (["red/car.png"], 1, "red/car.png: there is no such file\n"),
        (["--text", "red", "--json", "--paths0"], 2, "exclude each other"),
        (["--text", "red", "--under", "/nowhere"], 0, "sketchseek: the gallery holds no photo in that folder"),
        (["--text", "red", "--look", "twice"], 2, "'twice' is not one of 'picture', 'both', 'kind', 'direct'"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: list[str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_an_empty_gallery_says_what_to_do(capsys: pytest.CaptureFixture[str], photos: Path) -> None:
    with pytest.raises(SystemExit):
        main(["gallery", "forget", str(photos)])
    capsys.readouterr()
    assert run("--text", "red") == 0
    assert "holds no photos yet; run sketchseek index FOLDER" in capsys.readouterr().err


def test_names_that_break_lines_stay_on_theirs(capsys: pytest.CaptureFixture[str], photos: Path) -> None:
    put(photos / "a\n\udcff.png", png(90))
    with pytest.raises(SystemExit):
        main(["index"])
    capsys.readouterr()
    assert run("--photo", photos / "a\n\udcff.png", "-k", 1) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith(r"a\n\xff.png")


def test_several_drawings_share_a_query(capsys: pytest.CaptureFixture[str], photos: Path, tmp_path: Path) -> None:
    drawings = [put(tmp_path / f"{seed}.png", png(seed)) for seed in (1, 2)]
    both = found(capsys, *drawings)
    with Gallery.open(tmp_path / "gallery", GridModel(), readonly=True) as gallery:
        wanted = gallery.search(sketch=drawings)
    assert [(hit["id"], hit["score"]) for hit in both] == [(hit.id, round(hit.score, 6)) for hit in wanted]
    assert both != found(capsys, drawings[0])


def test_hits_are_printed_for_xargs_and_copied(
    capsys: pytest.CaptureFixture[str], photos: Path, tmp_path: Path
) -> None:
    assert run("--text", "red", "-k", 2, "--paths0", "--copy-to", tmp_path / "out") == 0
    captured = capsys.readouterr()
    paths = [Path(path) for path in captured.out.split("\0")[:-1]]
    assert len(paths) == 2 and all(path.is_file() for path in paths)
    assert sorted(path.read_bytes() for path in (tmp_path / "out").iterdir()) == sorted(
        path.read_bytes() for path in paths
    )
    assert captured.err == f"sketchseek: 2 photos in {tmp_path / 'out'}\n"
    assert run("--text", "red", "--copy-to", photos / "found") == 1
    assert "is in the indexed folder" in capsys.readouterr().err and not (photos / "found").exists()


def test_the_home_folder_is_meant_by_a_tilde(
    capsys: pytest.CaptureFixture[str], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SKETCHSEEK_GALLERY")
    assert run("--gallery=~/gallery", "--text", "red", "--json") == 0
    assert json.loads(capsys.readouterr().out)
