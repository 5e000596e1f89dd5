"""Rows of the list from the command line: the list, dry runs, and a whole reproduction of made data at tiny size."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sketchseek.cli import main
from sketchseek.datasets import Hashes, files_hash, names_hash, open_dataset, select_classes
from sketchseek.evaluation.papers import paper_tables
from sketchseek.reproduce import rows
from sketchseek.reproduce.plan import make_plan
from sketchseek.reproduce.rows import SAMPLE, Row
from sketchseek.training import files
from tests.training.test_session import interrupt
from tests.training.toys import write_data

Call = Callable[..., tuple[int, str, str]]
UNSEEN = ["emu", "fox", "gnu"]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("SKETCHSEEK_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    torch.set_num_threads(1)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(["reproduce", *map(str, arguments)])
        shown = capsys.readouterr()
        return int(end.value.code or 0), shown.out, shown.err

    return run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_data(tmp_path_factory.mktemp("made") / "data")
    groups = {"train": ["ant", "bee"], "val": ["cat", "dog"], "unseen": UNSEEN}
    (root / "splits.json").write_text(json.dumps(groups))
    return root


@pytest.fixture
def row(tiny_clip_folder: Path) -> Row:
    """As our rows are: the preset lite, on data with a split of its own."""
    return Row(
        id="clip-at/tiny",
        status="ours",
        source="a test",
        method="clip-at",
        protocol="zero-shot",
        split=SAMPLE,
        figures={"map@all": 0.5},
        backbone=str(tiny_clip_folder),
        preset="lite",
        settings={"steps": 3, "batch": 8, "validate_every": 3, "device": "cpu"},
        sizes=(12 * len(UNSEEN), 6 * len(UNSEEN)),
    )


def test_the_list_has_the_papers_figures(call: Call) -> None:
    code, out, _ = call("list", "--json")
    found = {one["row"]: one for one in json.loads(out)}
    assert code == 0
    tables = {table.id: dict(table.rows) for table in paper_tables()}
    assert tuple(found["splip/sketchy-21"]["figures"].values()) == tables["splip-sketchy-21"]["SpLIP"]
    assert found["splip/sketchy-21"]["set"] == {"classes": "sketchy-21:seen"}
    lines = call("list")[1].splitlines()
    assert len(lines) == 1 + len(found)
    assert next(line for line in lines if line.startswith("clip-at/sketchy-21 ")).split()[1:6] == [
        "published",
        "mAP@200",
        "72.3,",
        "P@200",
        "72.5",
    ]


def test_without_data_it_says_where_the_data_comes_from(call: Call) -> None:
    code, out, err = call("splip/sketchy25-to-tuberlin-21")
    assert code == 1
    assert "Sketchy Extended is needed. " in out and "TU-Berlin Extended is needed. " in out
    assert "sketchseek datasets check FOLDER" in out
    assert err == "sketchseek: splip/sketchy25-to-tuberlin-21 needs its dataset: name its folder with --data\n"


def test_a_dry_run_shows_the_plan_and_touches_nothing(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKETCHSEEK_CACHE", str(tmp_path / "cache"))
    code, out, _ = call("clip-at/sketchy-21", "--dry-run", "--set", "epochs=2")
    assert code == 0
    for said in (
        "expected: mAP@200 72.3, P@200 72.5, each within 3 points",
        "changed: epochs is 2, in the row 60",
        "Sketchy Extended is needed",
        "2. backbone: openai/clip-vit-base-patch32",
        "3. train clip-at, preset paper: 2 epochs of batches of 64",
        "4. evaluate: protocol zero-shot, classes sketchy-21",
        "runs/reproduce/clip-at-sketchy-21",
    ):
        assert said in out
    plan = json.loads(call("clip-at/sketchy-21", "--dry-run", "--json")[1])
    assert (plan["recipe"]["classes"], plan["triplets"]) == ("sketchy-21:seen", 60 * 57_587)
    assert not list(tmp_path.iterdir())


def test_other_data_is_refused_before_the_training(call: Call, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    code, _, err = call("clip-at/sketchy-21", "--data", data, "--out", out)
    assert code == 1
    assert "121 classes are missing" in err
    assert err.endswith("or run all the same with --other-data\n")
    assert not out.exists()


def test_a_row_from_data_to_report(
    call: Call, data: Path, row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    arguments = (row.id, "--data", data, "--out", out)
    monkeypatch.setattr(rows, "rows", lambda: (row,))
    interrupt(make_plan(row, data=data).recipe, out, 2, monkeypatch)

    # the same command continues; the figure is not reached
    code, shown, err = call(*arguments)
    assert code == 3, err
    assert "not within tolerance: map@all differ by more than 3." in shown
    report = json.loads((out / "report.json").read_text())
    assert (report["row"], report["verdict"], report["changes"]) == (row.id, "not within tolerance", {})
    assert report["recipe"]["fingerprint"] == make_plan(row, data=data).recipe.fingerprint
    (figure,) = report["figures"]
    assert (figure["expected"], figure["within"]) == (0.5, False)
    assert figure["found"]["map@all"] == pytest.approx(100 * report["evaluation"]["metrics"]["map@all"])
    assert report["definitions"] == {"map@all": "mean average precision over the whole ranking"}
    assert report["data"]["layout"] == "simple"
    assert report["versions"].keys() == {"sketchseek", "python", "machine", "torch", "transformers", "numpy"}
    assert "<html" in (out / "report.html").read_text(encoding="utf-8")

    # once more, with the figure that was found: nothing is trained or encoded again
    adapter = (out / files.ADAPTER).read_bytes()
    good = replace(row, figures={"map@all": figure["found"]["map@all"]})
    monkeypatch.setattr(rows, "rows", lambda: (good,))
    code, shown, err = call(*arguments, "--json")
    assert code == 0, err
    again = json.loads(shown)
    assert again["verdict"] == "within tolerance"
    assert again["evaluation"]["encoded"] == {"sketches": 0, "photos": 0}
    assert (out / files.ADAPTER).read_bytes() == adapter

    # figures of another number of photos prove nothing
    monkeypatch.setattr(rows, "rows", lambda: (replace(good, sizes=(525, 525)),))
    code, shown, _ = call(*arguments)
    assert code == 3
    assert "not comparable: Not comparable: 36 sketches and 18 photos here, 525 and 525 there." in shown


def test_a_zero_shot_row_measures_the_backbone(
    call: Call, data: Path, row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = replace(row, id="zero-shot/tiny", method="zero-shot", preset="default", settings={})
    plain = replace(plain, figures={"map@all": 99.0})
    monkeypatch.setattr(rows, "rows", lambda: (plain,))
    code, shown, err = call(plain.id, "--data", data, "--out", tmp_path / "run", "--json")
    assert code == 3, err
    found = json.loads(shown)
    assert found["recipe"] is None
    assert 0 < found["evaluation"]["metrics"]["map@all"] < 1
    assert not (tmp_path / "run" / files.RECIPE).exists()


def test_another_sample_is_told_from_ours(
    call: Call, row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_data(tmp_path / "data", ("ant", "bee", "emu", "gnu"))
    dataset = open_dataset(root)
    group = {name: select_classes(dataset, name) for name in ("train", "unseen")}
    ours = [Hashes(name, names_hash(dataset, of), files_hash(dataset, of)) for name, of in group.items()]
    plain = replace(row, method="zero-shot", preset="default", settings={}, sizes=(12, 6), hashes=tuple(ours))
    monkeypatch.setattr(rows, "rows", lambda: (plain,))
    arguments = (row.id, "--data", root, "--out", tmp_path / "run")
    assert call(*arguments, "--dry-run")[1].count("the file names are those of the figures") == 1
    code, shown, _ = call(*arguments)
    assert "The files are those of our figures." in shown
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert {one["classes"]: one["files"] for one in report["data"]["hashes"]} == {
        "all": None, "train": ours[0].files, "val": None, "unseen": ours[1].files
    }  # fmt: skip
    page = (tmp_path / "run/report.html").read_text(encoding="utf-8")
    assert ours[1].names in page and str(ours[1].files) in page

    # a picture of the same name with other contents; then another name
    shutil.rmtree(tmp_path / "run")
    photo = root / "photo/gnu/p0.png"
    shutil.copyfile(root / "photo/gnu/p1.png", photo)
    code, _, err = call(*arguments)
    assert code == 1
    assert "(the unseen classes have the file names of our sample, but other contents), so the result" in err
    photo.rename(root / "photo/gnu/p9.png")
    assert "(the unseen classes have other files than our sample)" in call(*arguments)[2]
    assert "the unseen classes have other files than our sample" in call(*arguments, "--dry-run")[1]
    assert not (tmp_path / "run").exists()
    code, shown, _ = call(*arguments, "--other-data")
    assert code == 3
    assert "not comparable: Not comparable: the unseen classes have other files than our sample." in shown
    (root / "splits.json").unlink()
    assert "its splits.json has no group train; its splits.json has no group unseen" in call(*arguments)[2]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["list", "--dry-run"], 2, "list takes no option but --json"),
        (
            ["clip-at/sketchy-12", "--dry-run"],
            1,
            "there is no row 'clip-at/sketchy-12': did you mean clip-at/sketchy-21",
        ),
        (["clip-at/sketchy-21", "--dry-run", "--set", "epoch=1"], 1, "has no key 'epoch'; did you mean epochs?"),
        (["clip-at/sketchy-21", "--dry-run", "--data", "NOWHERE"], 1, "NOWHERE"),
    ],
)
def test_mistakes_are_one_sentence(arguments: list[str], code: int, said: str, call: Call) -> None:
    found, _, err = call(*arguments)
    assert found == code
    assert said in err
    assert "Traceback" not in err
