import json
import os
import signal
import subprocess
import sys
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import sketchseek.engine.models
from sketchseek.cli import main
from sketchseek.cli.index import _interrupted
from sketchseek.gallery import Gallery
from sketchseek.gallery.embedded.gallery import EmbeddedGallery
from sketchseek.installation import install_command
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, png, put
from tests.pictures import corpus
from tests.pictures.raw import dng

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def _model_and_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        sketchseek.engine.models, "load_search_model", lambda name: GridModel(name.removeprefix("grid-"))
    )
    monkeypatch.setenv("SKETCHSEEK_GALLERY", str(tmp_path / "gallery"))


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["index", *map(str, arguments)])
    assert isinstance(end.value.code, int)
    return end.value.code


def test_the_summary_counts_and_names_what_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "p", 3)
    put(tmp_path / "p" / "broken\n.png", b"PK\3\4")
    assert run(tmp_path / "p", "--model", "one") == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("3 added, 0 updated, 0 moved, 0 removed, 0 unchanged, 1 failed in ")
    assert captured.err == f"{tmp_path}/p/broken\\n.png: is a zip archive; unpack it first\n"


def test_json_has_these_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "p", 3)
    broken = put(tmp_path / "p" / "broken\n.png", b"PK\3\4")
    assert run(tmp_path / "p", "--model", "one", "--json") == 0
    captured = capsys.readouterr()
    found: dict[str, Any] = json.loads(captured.out)
    assert captured.err == ""
    assert list(found) == ["added", "updated", "moved", "removed", "unchanged", "completed", "failed", "seconds"]
    assert (found["added"], found["unchanged"]) == (3, 0)
    assert found["failed"] == [{"path": str(broken), "reason": "is a zip archive; unpack it first"}]
    assert run("--json") == 0
    assert json.loads(capsys.readouterr().out)["unchanged"] == 3


def test_outlines_that_were_filled_in_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "p", 3)
    with Gallery.open(tmp_path / "gallery", GridModel(lines=False)) as gallery:
        gallery.add(tmp_path / "p")
    assert run(tmp_path / "p") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("0 added, 0 updated, 0 moved, 0 removed, 3 unchanged, 0 failed in ")
    assert second == "3 of the unchanged were given what the gallery lacked of them"
    assert run(tmp_path / "p") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_names_that_are_no_text_come_back_from_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = put(tmp_path / "p" / "\udcff\udcfe.png", b"x")
    assert run(tmp_path / "p", "--model", "one", "--json") == 0
    assert json.loads(capsys.readouterr().out)["failed"][0]["path"] == str(broken)


def test_failed_files_are_retried_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "p" / "a.png", b"x" * len(png(1)), mtime=1000)
    run(tmp_path / "p", "--model", "one")
    put(tmp_path / "p" / "a.png", png(1), mtime=1000)
    run("--json")
    run("--json", "--retry-failed")
    documents = capsys.readouterr().out.split("\n{")[1:]
    assert [json.loads("{" + document)["updated"] for document in documents] == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--model", "one"], "cannot be listed (No such file or directory)"),
        ([], "knows no folders on this machine yet; name one to index"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal that can be made")
def test_progress_is_shown_on_a_terminal_and_nowhere_else(tmp_path: Path) -> None:
    fill(tmp_path / "p", 60)
    ours, theirs = os.openpty()
    run = [sys.executable, "-m", "tests.gallery.run_cli"]
    command = [*run, "index", str(tmp_path / "p"), "--model", "one", "--json"]
    environment = os.environ | {"TERM": "xterm"}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: read_terminal(ours), b"")).decode()
        assert process.stdout
        report = json.loads(process.stdout.read())
    os.close(ours)
    assert report["added"] == 60
    assert "indexing" in shown
    assert "60/60" in shown
    assert "photos/s" in shown


def read_terminal(descriptor: int) -> bytes:
    """What comes next; nothing when the other side has closed it, which Linux calls an error."""
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""


def test_watching_prints_a_line_for_every_change(tmp_path: Path) -> None:
    pytest.importorskip("watchfiles")
    fill(tmp_path / "p", 1)
    command = [
        sys.executable,
        "-m",
        "tests.gallery.run_cli",
        "index",
        str(tmp_path / "p"),
        "--model",
        "one",
        "--watch",
        "--json",
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout and process.stderr
            assert json.loads(process.stdout.readline())["added"] == 1
            assert "following changes" in process.stderr.readline()
            put(tmp_path / "p" / "new.png", png(5))
            assert json.loads(process.stdout.readline())["added"] >= 1
            process.send_signal(2)
            assert process.wait(100) == 130
            assert process.stderr.read().strip() == "sketchseek: interrupted"
        finally:
            process.kill()  # else a failure would wait for it for ever


def test_an_interrupt_whose_exception_is_lost_still_ends_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    before = signal.getsignal(signal.SIGINT)  # ignored where a shell started the tests in the background

    class Finalised:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)  # Python drops what a finaliser raises

    with pytest.raises(KeyboardInterrupt), _interrupted() as stop:
        one = Finalised()
        del one
        assert stop.is_set()
    assert signal.getsignal(signal.SIGINT) is before


def test_neither_torch_nor_transformers_is_imported(tmp_path: Path) -> None:
    """By the whole of index and search, with everything they do."""
    fill(tmp_path / "p", 3)
    script = (
        "import sys; from tests.gallery.run_cli import main\n"
        "for arguments in (['index', sys.argv[1], '--model', 'one'], ['search', '--text', 'red'],"
        " ['search', '--photo', sys.argv[1] + '/00000.png', '--json'], ['gallery', 'info'], ['gallery', 'verify']):\n"
        "    try: main(arguments)\n"
        "    except SystemExit as end: assert end.code == 0, end.code\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in "
        "('torch', 'transformers', 'matplotlib', 'sklearn', 'scipy', 'onnxruntime', 'fastapi')))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "p"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("size", ["500MB", "1.5 gb", "64MB"])
def test_memory_is_a_size(tmp_path: Path, size: str, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "p", 3)
    assert run(tmp_path / "p", "--model", "one", "--memory", size) == 0
    assert capsys.readouterr().out.startswith("3 added")


@pytest.mark.parametrize("size", ["5", "1MB", "-1GB", "lots", "9e9GB", "1TB", ""])
def test_what_is_no_size_is_said(tmp_path: Path, size: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--memory", size) == 2
    assert f"{size!r} is not a size from 64MB up, such as 500MB or 2GB." in capsys.readouterr().err


def test_decoders_write_nothing_of_their_own_to_stderr(tmp_path: Path) -> None:
    """libtiff and Pillow print without the file's name; all that is said is our one sentence for each file."""
    photos = tmp_path / "p"
    good = corpus.corpus()["lzw.tiff"]
    put(photos / "damaged.tif", good[:8] + bytes(len(good) // 3) + good[8 + len(good) // 3 :])
    put(photos / "exif.jpg", corpus.saved(corpus.plain((1, 2, 3)), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff"))
    put(photos / "large.png", corpus.thin_png(10_000, 9_500, grey=True))
    put(photos / "large.gif", corpus.saved(Image.new("P", (9_500, 9_500)), "GIF"))
    done = subprocess.run(
        [sys.executable, "-m", "sketchseek", "index", photos], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.startswith("3 added")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{photos}/damaged.tif: is damaged or cut short")


def test_failures_are_a_line_for_each_cause(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        put(tmp_path / "p" / f"{number}.png", b"PK\3\4")
        put(tmp_path / "p" / f"{number}.jpg", corpus.corpus()["rgb.jpg"][: 400 + number])
    assert run(tmp_path / "p", "--model", "one") == 0
    cut, zipped, hint = sorted(capsys.readouterr().err.splitlines())
    assert cut == f"3 files, such as {tmp_path}/p/0.jpg: is cut short"
    assert zipped == f"3 files, such as {tmp_path}/p/0.png: is a zip archive; unpack it first"
    assert hint == "sketchseek: --verbose lists every file that failed"
    assert run("--verbose") == 0
    assert len(capsys.readouterr().err.splitlines()) == 6


def test_files_are_tried_again_when_their_decoder_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    preview = corpus.saved(Image.fromarray(corpus.scene()), "JPEG")
    for number in range(2):
        put(tmp_path / "p" / f"{number}.dng", dng(preview, 1) + bytes([number]))
    with monkeypatch.context() as patched:
        for module in ("raw", "errors"):
            patched.setattr(f"sketchseek.pictures.{module}.find_spec", lambda _: None)
        for _ in range(2):
            assert run(tmp_path / "p", "--model", "one") == 0
            captured = capsys.readouterr()
            assert "2 failed" in captured.out
            assert captured.err.startswith(f"2 files, such as {tmp_path}/p/0.dng: is camera RAW without a preview")
            assert f"needs the package rawpy; run: {install_command('rawpy')}\n" in captured.err
    assert run(tmp_path / "p") == 0
    assert capsys.readouterr().out.startswith("0 added, 2 updated, 0 moved, 0 removed, 0 unchanged, 0 failed")


def test_an_empty_folder_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p" / ".hidden").mkdir(parents=True)
    assert run(tmp_path / "p", "--model", "one") == 0
    assert f"there are no photos in {tmp_path}/p; hidden files" in capsys.readouterr().err


def test_the_gallery_itself_is_no_folder_of_photos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "p", 3)
    assert run(tmp_path / "p", "--gallery", tmp_path / "p", "--model", "one") == 1
    assert "is the gallery, or inside it" in capsys.readouterr().err
    assert run(tmp_path / "p", "--gallery", tmp_path / "p" / "gallery", "--model", "one") == 0
    assert capsys.readouterr().out.startswith("3 added")


def test_watching_without_its_package_is_said_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "p", 3)
    monkeypatch.setattr("sketchseek.cli.index.find_spec", lambda _: None)
    assert run(tmp_path / "p", "--watch", "--model", "one") == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("sketchseek: --watch requires watchfiles; run: ")
    assert captured.out == "" and not (tmp_path / "gallery").exists()


def test_an_interruption_says_what_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "p", 5)
    encode, calls = GridModel.encode_photos_with_lines, []

    def interrupted(self: GridModel, photos: Any) -> Any:
        calls.append(photos)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return encode(self, photos)

    monkeypatch.setattr(GridModel, "encode_photos_with_lines", interrupted)
    monkeypatch.setattr(EmbeddedGallery, "add", partialmethod(EmbeddedGallery.add, batch=2))
    assert run(tmp_path / "p", "--model", "one") == 130
    kept, _, last = capsys.readouterr().err.splitlines()
    assert kept == "sketchseek: 4 of 5 files were indexed and are kept; run the command again for the rest"
    assert last == "sketchseek: interrupted"
    with Gallery.open(tmp_path / "gallery", GridModel(), readonly=True) as gallery:
        assert gallery.stats().photos == 4
