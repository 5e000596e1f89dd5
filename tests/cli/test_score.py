import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketchseek.cli import main
from sketchseek.evaluation.results import read_result
from sketchseek.evaluation.similarity import unit_rows

CLASSES = np.array(["bat", "cow", "zebra"])


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Three classes of ten photos, four sketches of each photo; some photos look like those of another class."""
    draw = np.random.default_rng(0)
    photo_class, photo = np.repeat([0, 1, 2], 10), np.tile(np.arange(10), 3)
    photos = draw.standard_normal((3, 16))[photo_class] + draw.standard_normal((30, 16))
    sketches = np.repeat(photos, 4, axis=0) + draw.standard_normal((120, 16))
    for name, vectors, times in (("queries", sketches, 4), ("gallery", photos, 1)):
        np.savez(
            tmp_path / f"{name}.npz",
            vectors=vectors.astype(np.float32),
            labels=CLASSES[np.repeat(photo_class, times)],
            instances=np.repeat(photo, times),
        )
    return str(tmp_path / "queries.npz"), str(tmp_path / "gallery.npz")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["score", *arguments])
    assert isinstance(end.value.code, int)
    return end.value.code


def scored(capsys: pytest.CaptureFixture[str], files: tuple[str, str], *arguments: str) -> dict[str, Any]:
    assert run("--queries", files[0], "--gallery", files[1], "--json", *arguments) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    found: dict[str, Any] = json.loads(captured.out)
    return found


def test_json_names_every_metric_and_says_what_was_measured(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = scored(capsys, files, "--k", "5,20", "--per-class", "--bootstrap", "100", "--seed", "3")
    at = [f"{name.replace('@', f'@{k}')}" for k in (5, 20) for name in ("map@:voc", "map@:hits", "map@:k", "map@:min")]
    at += [name.replace("@", f"@{k}") for k in (5, 20) for name in ("p@", "p@:min", "acc@")]
    names = {"map@all", "map@all:interpolated", "r_precision", "mean_rank", *at}
    assert set(found["metrics"]) == names
    assert set(found["intervals"]) == names
    assert all(low <= found["metrics"][name] <= high for name, (low, high) in found["intervals"].items())
    assert (found["queries"], found["gallery"], found["classes"]) == (120, 30, 3)
    assert found["queries_without_relevant"] == 0
    assert found["ties"] == "counted against"
    assert found["bootstrap"] == {"resamples": 100, "seed": 3, "level": 0.95, "unit": "photo"}
    assert set(found["per_class"]) == set(CLASSES)
    assert found["per_class"]["cow"]["queries"] == 40
    assert found["seconds"] >= 0


def test_numbers_are_those_of_a_sort(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    queries, gallery = np.load(files[0]), np.load(files[1])
    order = np.argsort(-unit_rows(queries["vectors"]) @ unit_rows(gallery["vectors"]).T, axis=1)
    same = gallery["labels"][order] == queries["labels"][:, None]
    found = scored(capsys, files, "--k", "1,5")["metrics"]
    assert found["p@5"] == pytest.approx(same[:, :5].mean())
    assert found["acc@1"] == pytest.approx(same[:, 0].mean())

    paired = same & (gallery["instances"][order] == queries["instances"][:, None])
    found = scored(capsys, files, "--by", "instance")["metrics"]
    assert found["acc@5"] == pytest.approx(paired[:, :5].any(axis=1).mean())
    assert found["mean_rank"] == pytest.approx(paired.argmax(axis=1).mean() + 1)

    ranks = [
        row[own][: int(row_same.sum())].tolist().index(True) + 1
        for row, own, row_same in zip(paired, same, same, strict=True)
    ]
    found = scored(capsys, files, "--by", "instance", "--within-class", "--bootstrap", "50")
    assert found["metrics"]["mean_rank"] == pytest.approx(np.mean(ranks))
    assert found["metrics"]["acc@1"] == pytest.approx(np.mean(np.array(ranks) == 1))
    assert found["within_class"] is True
    assert found["bootstrap"]["unit"] == "photo"


def test_intervals_draw_queries_where_no_photo_is_known(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queries = dict(np.load(files[0]))
    queries["instances"] = np.zeros(len(queries["labels"]), int)  # one photo of each class: three units to draw
    np.savez(tmp_path / "few.npz", **queries)
    del queries["instances"]
    np.savez(tmp_path / "none.npz", **queries)
    few, none = (
        scored(capsys, (str(tmp_path / name), files[1]), "--bootstrap", "300") for name in ("few.npz", "none.npz")
    )
    assert few["metrics"] == none["metrics"]
    assert (few["bootstrap"]["unit"], none["bootstrap"]["unit"]) == ("photo", "query")
    values = np.array([few["intervals"]["map@all"], none["intervals"]["map@all"]])
    assert not np.array_equal(values[0], values[1])


def test_default_cut_offs_follow_the_level(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert {"map@100:voc", "map@200:hits"} <= set(scored(capsys, files)["metrics"])
    found = scored(capsys, files, "--by", "instance")["metrics"]
    assert {"acc@1", "acc@5", "acc@10"} <= set(found)
    assert "acc@100" not in found


def test_the_table_says_the_same(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    metrics = scored(capsys, files)["metrics"]
    assert run("--queries", files[0], "--gallery", files[1], "--per-class", "--bootstrap", "20") == 0
    out = capsys.readouterr().out
    assert "120 queries of 3 classes against 30 photos; right: photos of its class; ties counted against" in out
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}
    for name, mean in metrics.items():
        assert lines[name][0] == f"{mean:.4f}"
        assert len(lines[name]) == 3
    assert lines["zebra"][0] == "40"
    assert list(lines["class"][1:4]) == ["map@all", "map@100:voc", "map@100:hits"]


def test_one_query_is_singular(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    queries = dict(np.load(files[0]))
    np.savez(files[0], **{name: array[:1] for name, array in queries.items()})
    assert run("--queries", files[0], "--gallery", files[1]) == 0
    assert capsys.readouterr().out.startswith("1 query of 1 class against 30 photos; right")


def test_queries_without_a_relevant_photo_are_counted(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    gallery = dict(np.load(files[1]))
    keep = gallery["labels"] != "cow"
    np.savez(files[1], **{name: array[keep] for name, array in gallery.items()})
    found = scored(capsys, files)
    assert (found["queries"], found["queries_without_relevant"], found["classes"]) == (80, 40, 2)
    assert run("--queries", files[0], "--gallery", files[1]) == 0
    assert "left out: 40 queries" in capsys.readouterr().out


def test_a_mistake_is_one_sentence_and_code_1(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    sound = dict(np.load(files[0]))
    broken: list[tuple[dict[str, Any], str]] = [
        ({"vectors": np.full_like(sound["vectors"], np.nan)}, "NaN"),
        ({"vectors": np.zeros_like(sound["vectors"])}, "zeros"),
        ({"vectors": sound["vectors"][:, :3]}, "size 3"),
        ({"vectors": sound["vectors"][0]}, "shape (16,)"),
        ({"labels": sound["labels"][:5]}, "one for each of the 120"),
        ({"labels": sound["labels"].astype(object)}, "Python objects"),
        ({"labels": np.full(120, "unicorn")}, "no label in common"),
    ]
    for arrays, said in broken:
        np.savez(files[0], **(sound | arrays))
        assert run("--queries", files[0], "--gallery", files[1]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("sketchseek: ")
        assert captured.err.count("\n") == 1
        assert said in captured.err
    np.savez(files[0], vectors=sound["vectors"], labels=sound["labels"])
    assert run("--queries", files[0], "--gallery", files[1], "--by", "instance") == 1
    assert "has no array 'instances'" in capsys.readouterr().err
    assert run("--queries", files[0] + "x", "--gallery", files[1]) == 1
    assert "there is no file" in capsys.readouterr().err


def test_photos_and_sketches_without_one_pair_in_common(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    gallery = dict(np.load(files[1]))
    np.savez(files[1], **(gallery | {"instances": gallery["instances"] + 100}))
    assert run("--queries", files[0], "--gallery", files[1], "--by", "instance") == 1
    assert "no query has a relevant photo" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--k", "0"], ["--k", "5,"], ["--k", "ten"], ["--k", "²"], ["--within-class"], ["--bootstrap", "-1"]]
)
def test_wrong_usage_is_code_2(
    arguments: list[str], files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--queries", files[0], "--gallery", files[1], *arguments) == 2
    assert capsys.readouterr().out == ""


def test_the_docs_show_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "research" / "evaluation.md").read_text(encoding="utf-8")
    text = text.partition("## Scoring vectors from elsewhere")[2]
    monkeypatch.chdir(tmp_path)
    made, used = (part.partition("```")[0] for part in text.split("```python\n")[1:3])
    names: dict[str, Any] = {}
    exec(made, names)
    exec(used, names)
    assert len(capsys.readouterr().out.split()) == 2
    console = text.partition("```console\n")[2].partition("```")[0]
    for block in console.split("$ sketchseek score ")[1:]:
        call, _, shown = block.partition("\n")
        assert run(*shlex.split(call)) == 0
        printed = capsys.readouterr().out
        seconds = re.compile(r"; [0-9.]+ s\n")
        assert seconds.sub("\n", printed) == seconds.sub("\n", shown)


def test_a_result_file_has_the_scores_their_definitions_and_hashes(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "result.json"
    found = scored(capsys, files, "--result", str(out), "--model", "mine", "--about", "made data")
    result = read_result(out)
    assert result["metrics"] == found["metrics"]
    assert result["definitions"].keys() == found["metrics"].keys()
    assert (result["model"]["name"], result["about"]) == ("mine", "made data")
    sides = {f"{side} {name}" for side in ("queries", "gallery") for name in ("vectors", "labels", "instances")}
    assert result["sha256"].keys() == sides


def test_a_result_file_needs_a_model_and_words(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--queries", files[0], "--gallery", files[1], "--result", "x.json", "--model", "mine") == 2
    assert "--result, --model and --about belong together" in capsys.readouterr().err
