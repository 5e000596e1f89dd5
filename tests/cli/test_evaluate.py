import json
import subprocess
import sys
from pathlib import Path

import pytest

import sketchseek.cli.evaluate
import sketchseek.loading
from sketchseek.cli import main
from sketchseek.evaluation.results import read_result
from sketchseek.neighbours import LOOKS
from tests.evaluation.edges import EdgeModel
from tests.evaluation.trees import make_tree
from tests.export.test_write import write_run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make_tree(tmp_path / "data", ["bat", "cow", "door"], photos=3, sketches=3, extended=1)
    (root / "splits.json").write_text(json.dumps({"train": ["bat"], "unseen": ["cow", "door"]}))
    return root


class LoadedModel(EdgeModel):
    """Records every call that loads it: name, device, trust_pickle."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[tuple[str, str | None, bool]] = []


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LoadedModel:
    """What ``--model`` loads, with a cache of this test's own."""
    model = LoadedModel()

    def load(name: str, *, device: str | None, trust_pickle: bool) -> LoadedModel:
        model.loaded.append((name, device, trust_pickle))
        return model

    monkeypatch.setattr(sketchseek.loading, "load_model", load)
    monkeypatch.setenv("SKETCHSEEK_CACHE", str(tmp_path / "cache"))
    return model


def call(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> tuple[str, str]:
    with pytest.raises(SystemExit) as end:
        main(["evaluate", "--model", "edges", *map(str, arguments)])
    said = capsys.readouterr()
    assert end.value.code == code, said.err
    return said.out, said.err


def test_json_twice_the_second_time_from_the_cache(root, model, capsys) -> None:
    first, second = (json.loads(call(capsys, "--data", root, "--json")[0]) for _ in range(2))
    assert first.pop("encoded") == {"sketches": 6, "photos": 6}
    assert second.pop("encoded") == {"sketches": 0, "photos": 0}
    first.pop("seconds"), second.pop("seconds")
    assert first == second
    assert first["classes"] == ["cow", "door"]
    assert (first["gallery"], first["other_gallery"]["gallery"]) == (8, 6)
    assert model.encoded == {"sketches": 6, "photos": 6}
    assert model.loaded == [("edges", None, False)] * 2


def test_pickles_are_trusted_only_when_allowed(root, model, capsys) -> None:
    call(capsys, "--data", root, "--trust-pickle", "--device", "cpu")
    assert model.loaded == [("edges", "cpu", True)]


def test_no_cache_keeps_nothing(root, model, capsys, tmp_path: Path) -> None:
    for _ in range(2):
        assert json.loads(call(capsys, "--data", root, "--json", "--no-cache")[0])["encoded"]["photos"] == 6
    assert not (tmp_path / "cache").exists()


def test_a_named_cache_is_used(root, model, capsys, tmp_path: Path) -> None:
    call(capsys, "--data", root, "--cache", tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir())
    assert not (tmp_path / "cache").exists()


def test_the_table_names_protocol_sizes_and_both_galleries(root, model, capsys) -> None:
    out, err = call(capsys, "--data", root, "--protocol", "generalized", "--k", "1,3", "--bootstrap", "20")
    assert "generalized (all-seen), 2 classes" in out
    assert ": 12, 4 of them of other classes" in out
    assert "dedup (9 photos)" in out
    for name in ("map@all", "map@1:voc", "map@3:hits", "p@3"):
        assert f"\n{name} " in out
    assert "95% from" in out
    assert "\x1b" not in out + err


def test_fine_grained_prints_accuracies_and_ranks(root, model, capsys) -> None:
    out, _ = call(capsys, "--data", root, "--protocol", "fine-grained", "--across", "--bootstrap", 0)
    rows = [line.split()[0] for line in out.split("metric", 1)[1].splitlines()[1:]]
    assert rows == ["acc@1", "acc@5", "acc@10", "mean_rank"]
    assert "fine-grained (across)" in out


def test_a_subset_is_labelled_everywhere(root, model, capsys, tmp_path: Path) -> None:
    rule = ("--subset", "2-sketches-per-class")
    page = tmp_path / "page.html"
    out, err = call(capsys, "--data", root, *rule, "--report", page)
    assert "SUBSET 2-sketches-per-class" in out
    assert str(page) in err
    assert "2-sketches-per-class" in page.read_text(encoding="utf-8").split("All numbers")[0]
    assert json.loads(call(capsys, "--data", root, *rule, "--json")[0])["subset"] == "2-sketches-per-class"


def test_a_look_and_distractors_are_labelled_everywhere(root, model, capsys, tmp_path: Path) -> None:
    others = make_tree(tmp_path / "others", ["moon", "sun"], photos=2, sketches=0)
    rule = ("--look", "kind", "--distractors", others / "photo" / "moon", "--distractors", others / "photo" / "sun")
    page = tmp_path / "page.html"
    out, _ = call(capsys, "--data", root, *rule, "--report", page)
    assert "LOOK kind uses the gallery" in out
    assert "DISTRACTORS: 4 photos" in out
    head = page.read_text(encoding="utf-8").split("All numbers")[0]
    assert "Look kind" in head and "uses the gallery" in head
    assert "4 photos were added to the gallery" in head
    found = json.loads(call(capsys, "--data", root, *rule, "--json")[0])
    assert (found["look"], found["uses_gallery"], found["distractors"]) == ("kind", True, 4)
    out, _ = call(capsys, "--data", root)
    assert "LOOK" not in out and "DISTRACTORS" not in out


def test_the_looks_are_those_of_a_search() -> None:
    assert set(sketchseek.cli.evaluate.LOOKS) == set(LOOKS)


def test_figures_are_written(root, model, capsys, tmp_path: Path) -> None:
    _, err = call(capsys, "--data", root, "--figures", tmp_path / "figures")
    assert "precision-recall.png" in err
    assert (tmp_path / "figures" / "per-class.png").is_file()


def test_broken_pictures_stop_or_are_named(root, model, capsys) -> None:
    (root / "photo" / "cow" / "p2.png").write_text("no picture")
    _, err = call(capsys, "--data", root, code=1)
    assert "photo/cow/p2.png" in err
    assert err.rstrip().endswith("--skip-broken")
    out, _ = call(capsys, "--data", root, "--skip-broken")
    assert "left out of the gallery: 1 that cannot be opened: photo/cow/p2.png" in out


def test_problems_of_the_dataset_are_mentioned(root, model, capsys) -> None:
    (root / "photo" / "cow" / "notes.txt").write_text("no picture")
    assert "1 kind of problem in " in call(capsys, "--data", root, "--bootstrap", 0)[1]
    (root / "photo" / "cow" / "p9.png").touch()
    assert "2 kinds of problems in " in call(capsys, "--data", root, "--bootstrap", 0)[1]


def test_cross_takes_a_source(root, model, capsys) -> None:
    cross = ("--data", root, "--protocol", "cross", "--classes", "all")
    out, _ = call(capsys, *cross, "--source", "tuberlin-30")
    assert "cross, 1 class\n" in out
    assert "left out, because the source has them: cow, door" in out
    _, err = call(capsys, *cross, "--source", "tuberlin-29", code=1)
    assert "tuberlin-30" in err


def test_the_device_goes_to_the_model(root, model, capsys) -> None:
    call(capsys, "--data", root, "--device", "cuda:1")
    assert model.loaded == [("edges", "cuda:1", False)]


def test_a_category_is_measured_with_chosen_pictures(root, tiny_clip_folder: Path, tmp_path: Path, capsys) -> None:
    run = write_run(tmp_path / "run", tiny_clip_folder, "dp-clip", "fine-grained", support_photos=1)
    given = ("--data", root, "--model", run, "--device", "cpu", "--no-cache", "--bootstrap", 0)
    support = [word for kind in ("sketch/cow/p0-0", "photo/cow/p1") for word in ("--support", root / f"{kind}.png")]
    cow = (*given, "--category", "cow")
    out, _ = call(capsys, *cow, *support, "--protocol", "fine-grained")
    assert "run (cow), custom, fine-grained (within-class), 1 class\n" in out
    assert "note: The model was adapted to cow by 1 sketch and 1 photo that were chosen; the sketches are not" in out
    assert json.loads(call(capsys, *cow, *support, "--json")[0])["queries"] == 5
    assert json.loads(call(capsys, *cow, *support, "--transductive", "--json")[0])["queries"] == 6
    _, err = call(capsys, *given, *support, code=2)
    assert "--support is of a category: name it with --category" in err
    _, err = call(capsys, *cow, "--support", tmp_path / "none.png", "--support", tmp_path / "none.png", code=1)
    assert "none.png: there is no such file" in err
    _, err = call(capsys, *given[:2], "--model", tiny_clip_folder, *given[4:], "--category", "cow", code=1)
    assert "needs no category: omit --category and --support" in err


@pytest.mark.parametrize(
    "wrong",
    [
        ("--variant", "ocean"),
        ("--source", "sketchy-25"),
        ("--across",),
        ("--transductive",),
        ("--protocol", "fine-grained", "--gallery", "dedup"),
        ("--distractors", ".", "--protocol", "fine-grained"),
        ("--distractors", "missing"),
        ("--look", "closer"),
        ("--cache", "x", "--no-cache"),
        ("--protocol", "fastest"),
        ("--k", "0"),
    ],
)
def test_options_that_do_not_fit_are_wrong_usage(root, model, capsys, wrong) -> None:
    out, err = call(capsys, "--data", root, *wrong, code=2)
    assert out == ""
    assert wrong[-1] in err or wrong[0] in err
    assert model.loaded == []


def test_an_unknown_model_is_one_sentence(root, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sketchseek", "evaluate", "--model", str(tmp_path / "none"), "--data", str(root)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "none" in done.stderr


def test_a_backbone_from_a_folder(root, tiny_clip_folder: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("SKETCHSEEK_CACHE", str(tmp_path / "cache"))
    calls = []
    for _ in range(2):
        with pytest.raises(SystemExit):
            main(["evaluate", "--model", str(tiny_clip_folder), "--data", str(root), "--json", "--device", "cpu"])
        calls.append(json.loads(capsys.readouterr().out))
    assert [found.pop("encoded")["photos"] for found in calls] == [6, 0]
    assert all(found.pop("seconds") for found in calls)
    assert calls[0] == calls[1]
    assert calls[0]["model"]["identity"]


@pytest.mark.data
@pytest.mark.parametrize("protocol", ["zero-shot", "fine-grained"])
def test_a_backbone_on_real_sketches(
    data_root: Path, tiny_clip_folder: Path, tmp_path: Path, protocol, monkeypatch, capsys
) -> None:
    """The weights are random: the command, the cache and the page are looked at, not the numbers."""
    monkeypatch.setenv("SKETCHSEEK_CACHE", str(tmp_path / "cache"))
    page = tmp_path / "page.html"
    arguments = ["--model", tiny_clip_folder, "--data", data_root / "sketchy", "--protocol", protocol, "--report", page]
    calls = []
    for _ in range(2):
        with pytest.raises(SystemExit):
            main(["evaluate", *map(str, arguments), "--subset", "2-sketches-per-class,5-photos-per-class", "--json"])
        calls.append(json.loads(capsys.readouterr().out))
    assert calls[1].pop("encoded") == {"sketches": 0, "photos": 0}
    assert calls[0].pop("encoded")["photos"] == 105
    assert [found.pop("seconds") > 0 for found in calls] == [True, True]
    assert calls[0] == calls[1]
    assert "Not comparable: only a subset" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("option", "name", "said"),
    [
        ("--report", "nowhere/page.html", "cannot be written"),
        ("--report", ".", "cannot be written"),
        ("--figures", "file", "not a folder"),
    ],
)
def test_outputs_that_cannot_be_written_are_refused_before_the_work(
    tmp_path: Path, option: str, name: str, said: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    done = subprocess.run(
        [sys.executable, "-m", "sketchseek", "evaluate", "--model", "none", "--data", str(tmp_path), option, name],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert "none" not in done.stderr  # the model was not even looked for


def test_a_result_file_says_what_was_measured(root, model, capsys, tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    found = json.loads(call(capsys, "--data", root, "--json", "--result", out, "--about", "made data")[0])
    result = read_result(out)
    assert result["metrics"] == found["metrics"]
    assert result["protocol"]["sentences"] == found["protocol"]["sentences"]
    assert (result["about"], result["model"]) == ("made data", found["model"])
    assert len(result["sha256"]) == 8
    assert str(tmp_path) not in out.read_text()
    assert "belong together" in call(capsys, "--data", root, "--about", "made data", code=2)[1]
    nowhere = tmp_path / "nowhere" / "result.json"
    assert "name a file in a folder" in call(capsys, "--data", root, "--about", "x", "--result", nowhere, code=1)[1]
