"""A model that encodes one category at a time is exported for one."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from sketchseek import load_model
from sketchseek.cli import cli
from sketchseek.datasets import open_dataset
from sketchseek.engine import EngineError
from sketchseek.engine.sample_inputs import sample_pictures
from sketchseek.errors import SketchseekError
from sketchseek.evaluation.evaluate import Options, evaluate
from sketchseek.evaluation.protocols import ProtocolOptions
from sketchseek.evaluation.vectors.cache import VectorCache
from sketchseek.evaluation.vectors.category import Category
from sketchseek.export import export
from sketchseek.model import is_category_model
from sketchseek.pictures import load_photo, load_sketch
from tests.export.test_write import write_run
from tests.training.toys import write_data


def pictures_of_a_category(folder: Path, count: int) -> tuple[Path, ...]:
    folder.mkdir()
    files = tuple(folder / f"{number}.png" for number in range(count))
    for number, file in enumerate(files):
        Image.fromarray(sample_pictures(1, 64, number)[0]).save(file)
    return files


def test_a_model_of_categories_is_exported_for_one(
    tiny_clip_folder: Path, tmp_path: Path, photos: Any, sketches: Any
) -> None:
    run = write_run(tmp_path / "run", tiny_clip_folder, "dp-clip", "fine-grained")
    support = pictures_of_a_category(tmp_path / "support", 3)
    found = export(run, tmp_path / "model", category=Category("hot air balloon", support))
    whole = load_model(run, device="cpu")
    assert is_category_model(whole)
    drawn, shown = load_sketch(support[0]), [load_photo(file, target=whole.photo_side) for file in support[1:]]
    wanted = whole.for_category("hot air balloon", [drawn], shown)
    for ours, theirs in (
        (found.encode_photos(photos), wanted.encode_photos(photos)),
        (found.encode_sketches(sketches), wanted.encode_sketches(sketches)),
    ):
        assert ((ours * theirs).sum(axis=1) > 0.9999).all()
    assert "adapted to hot air balloon" in found.record.about
    assert not is_category_model(found)  # so that every protocol, and search, can use it


@pytest.mark.parametrize(
    ("method", "setting", "count", "message"),
    [
        ("dp-clip", "fine-grained", 2, "adapted with 1 sketch and 2 photos, not 2 pictures: name each with --support"),
        ("dp-clip", "category", 3, "needs no category: omit --category and --support"),
    ],
)
def test_support_that_does_not_fit_is_refused(
    tiny_clip_folder: Path, tmp_path: Path, method: str, setting: str, count: int, message: str
) -> None:
    run = write_run(tmp_path / "run", tiny_clip_folder, method, setting)
    support = pictures_of_a_category(tmp_path / "support", count)
    with pytest.raises(SketchseekError, match=message):
        export(run, tmp_path / "model", category=Category("cat", support))
    with pytest.raises(EngineError, match="is a backbone, which needs no category"):
        export(tiny_clip_folder, tmp_path / "model", category=Category("cat", support))


def test_what_is_exported_is_evaluated_by_other_protocols(tiny_clip_folder: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", tiny_clip_folder, "dp-clip", "fine-grained", support_photos=0)
    data = open_dataset(write_data(tmp_path / "data"))
    with VectorCache(None, pytest.fail) as cache:
        given = (ProtocolOptions("zero-shot"), cache, Options(resamples=0), lambda *_: None)
        with pytest.raises(SketchseekError, match="--protocol fine-grained, evaluate or export it for one category"):
            evaluate(load_model(run, device="cpu"), data, *given)
        ant = Category("ant", (data.file(data.sketches[0]),))
        found = export(run, tmp_path / "model", category=ant)
        exported = evaluate(found, data, *given).to_json()
        assert exported["queries"] == 12
        chosen = Options(resamples=0, category=ant)
        direct = evaluate(load_model(run, device="cpu"), data, given[0], cache, chosen, lambda *_: None).to_json()
        assert direct["metrics"]["map@all"] == pytest.approx(exported["metrics"]["map@all"], abs=0.02)
        assert (direct["queries"], direct["category"]) == (12, "ant")


def test_the_command_takes_a_category_and_its_pictures(tiny_clip_folder: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", tiny_clip_folder, "dp-clip", "fine-grained", prompts=0, window=0, rank=0)
    target = ["export", str(run), "--out", str(tmp_path / "model")]
    named = CliRunner().invoke(cli, [*target, "--support", "a.png"])
    assert named.exit_code == 2
    assert "--support is of a category: name it with --category" in named.output
    done = CliRunner().invoke(cli, [*target, "--category", "cat"])  # without visual prompting the name is enough
    assert done.exit_code == 0, done.output
    assert load_model(tmp_path / "model").size == 16
