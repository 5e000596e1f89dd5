"""A trained run is published as what it adds to its base, and searched with where torch is not installed."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import close_session, constants

from sketchseek import load_model
from sketchseek.cli import main
from sketchseek.engine import EngineError, load
from sketchseek.engine.bases import BASE, OWN, restore, split
from sketchseek.engine.convert import convert
from sketchseek.engine.folder import CONFIG, read_record
from sketchseek.engine.get import get_model
from sketchseek.engine.models import shipped_models
from sketchseek.engine.sample_inputs import sample_pictures
from sketchseek.engine.weights import TYPES, WeightFile
from sketchseek.export import export
from tests.cli.torch_free import run
from tests.export.test_write import write_run
from tests.gallery.photos import fill
from tests.hub import published
from tests.hub.loopback import TOKEN, Hub, serve

BASIS = "published/clip"
METHODS = {"clip-at": {}, "splip": {}, "dp-clip": {"unknown_text": "mean"}}
DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M1 1 8 8" stroke="black"/></svg>'
PHOTOS = 12

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning")  # of the hub's library


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP whose matrices are nearly all of its size, as in real ones."""
    folder = tmp_path_factory.mktemp("weights")
    published.clip(folder, width=128, depth=3, side=112)
    return folder


@pytest.fixture
def hub(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve() as hub:
        hub.add(BASIS, weights)
        monkeypatch.setenv("SKETCHSEEK_MODELS", str(tmp_path / "author" / "models"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("NO_PROXY", "*")
        address = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address)
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "author" / "hf"))
        yield hub
        close_session()


def push(*arguments: object) -> None:
    with pytest.raises(SystemExit) as end:
        main(["models", "push", *map(str, arguments)])
    assert end.value.code == 0


def size(files: dict[str, bytes], ending: str = "") -> int:
    return sum(len(body) for name, body in files.items() if name.endswith(ending))


@pytest.mark.slow
def test_runs_of_each_method_are_got_and_searched_with_without_torch(hub: Hub, weights: Path, tmp_path: Path) -> None:
    base = get_model(BASIS).folder
    wanted = {}
    for method, options in METHODS.items():
        made = write_run(tmp_path / method, weights, method, named=BASIS, **options)
        push(made, f"me/{method}")
        wanted[method] = load_model(made, device="cpu").encode_photos([sample_pictures(1, 112)[0]])
        files = hub.repositories[f"me/{method}"].files
        assert {BASE, OWN, CONFIG, "adapter.safetensors", "recipe.toml", "README.md"} <= files.keys()
        assert not {"pictures.safetensors", "texts.safetensors"} & files.keys()
        # What it adds: its own tensors and no others.
        adapter = len(files["adapter.safetensors"])
        assert len(files[OWN]) < adapter + 0.1 * size(hub.repositories[BASIS].files, ".safetensors")
    fill(tmp_path / "photos", PHOTOS)
    (tmp_path / "drawing.svg").write_text(DRAWING)
    home = tmp_path / "reader"
    search = ["search", "--min-score", "-1", "--json", "-k", str(PHOTOS)]
    commands = [["index", str(tmp_path / "photos")]]
    for method in METHODS:
        commands += [
            ["models", "get", f"me/{method}"],
            ["index", "--model", f"me--{method}", "--json"],
            [*search, "--text", "a cat"],
            [*search, str(tmp_path / "drawing.svg")],
        ]
    hub.sent.clear()
    printed = run(commands, hub.environment(home) | {"SKETCHSEEK_GALLERY": str(home / "gallery")})
    for number, method in enumerate(METHODS):
        indexed, by_words, by_drawing = (json.loads(str(printed[2 + 4 * number + step]["out"])) for step in range(3))
        assert indexed["added"] == len(by_words) == len(by_drawing) == PHOTOS
        assert len({hit["score"] for hit in by_drawing}) > 3
        folder = home / "models" / f"me--{method}"
        assert read_record(folder).backbone == BASIS and not (folder / BASE).exists()
        found = load(folder).encode_photos([sample_pictures(1, 112)[0]])
        assert (found * wanted[method]).sum() > 0.9999
        # SpLIP adds blocks and DP-CLIP branches; CLIP-AT hardly anything to what its base takes on disk.
        if method == "clip-at":
            ours, theirs = (sum(file.stat().st_size for file in one.glob("*.safetensors")) for one in (folder, base))
            assert ours - (folder / "adapter.safetensors").stat().st_size <= 1.1 * theirs
    assert [file for file, *_ in hub.sent].count("model.safetensors") == 1  # one base for all three


@pytest.fixture(scope="module")
def published_folder(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(a model folder without what its base has, the base)."""
    place = tmp_path_factory.mktemp("split")
    convert(weights, place / "base", name="base", about="", licence="")
    whole = export(write_run(place / "run", weights, "clip-at"), place / "whole").folder
    folder = Path(shutil.copytree(whole, place / "part", ignore=shutil.ignore_patterns("*.safetensors")))
    assert split(whole, place / "base", BASIS, folder)
    return folder, place / "base"


@pytest.fixture
def split_folder(published_folder: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """The same with a copy to change of the first."""
    return Path(shutil.copytree(published_folder[0], tmp_path / "split")), published_folder[1]


def test_another_base_is_one_sentence(split_folder: tuple[Path, Path], tmp_path: Path) -> None:
    folder, base = split_folder
    published.clip(tmp_path / "other", width=128, depth=3, side=112, seed=9)
    convert(tmp_path / "other", tmp_path / "wrong", name="wrong", about="", licence="")
    for wrong in (tmp_path / "wrong", shipped_models()["default"]):
        with pytest.raises(EngineError, match="is not the base on which this model was trained, or one of them"):
            restore(Path(shutil.copytree(folder, tmp_path / f"split {wrong.name}")), wrong)
    restore(folder, base)
    load(folder).verify()


NOWHERE = {"name": "x", "kind": "F32", "shape": [2**40], "from": [1, 2, 3]}
HOSTILE: list[tuple[dict[str, object], str]] = [
    ({"files": {"../x.safetensors": []}}, r"is not the base .*\.\./x\.safetensors"),
    ({"files": {"config.json": []}}, "is not the base"),
    ({"files": {"pictures.safetensors": [NOWHERE]}}, "is not the base"),
    ({"files": 3}, "does not name a base"),
    ({"base": "nothing"}, "does not name a base"),
    ({"version": 2}, "has version 2: update sketchseek"),
]


def test_a_hostile_list_is_one_sentence(split_folder: tuple[Path, Path]) -> None:
    folder, base = split_folder
    written = json.loads((folder / BASE).read_text())
    config = (folder / CONFIG).read_bytes()
    for change, sentence in HOSTILE:
        (folder / BASE).write_text(json.dumps(written | change))
        with pytest.raises(EngineError, match=sentence):
            restore(folder, base)
    assert (folder / CONFIG).read_bytes() == config and not (folder.parent / "x.safetensors").exists()


def test_a_list_that_would_fill_the_disk_is_refused_before_anything_is_written(split_folder: tuple[Path, Path]) -> None:
    folder, base = split_folder
    written = json.loads((folder / BASE).read_text())
    file, listed = max(written["files"].items(), key=lambda item: len(item[1]))
    shared = max((facts for facts in listed if "from" in facts), key=lambda facts: float(np.prod(facts["shape"])))
    many = {file: [shared | {"name": f"tensor {number}"} for number in range(1000)]}
    (folder / BASE).write_text(json.dumps(written | {"files": many}))
    before = {path.name for path in folder.iterdir()}
    with pytest.raises(EngineError, match="a file becomes larger or smaller than was published"):
        restore(folder, base)
    config = json.loads((folder / CONFIG).read_text())
    weights = WeightFile(file)
    for facts in many[file]:
        weights.add(facts["name"], TYPES[facts["kind"]], tuple(facts["shape"]), lambda: np.zeros(0))
    config["files"][file]["size"] = weights.size()
    (folder / CONFIG).write_text(json.dumps(config))
    with pytest.raises(EngineError, match="would become more than 4 times as large as its base"):
        restore(folder, base)
    assert {path.name for path in folder.iterdir()} == before


@pytest.mark.parametrize("bases", [{"me/a": "me/b", "me/b": "me/a"}, {"me/a": "me/a"}])
def test_a_base_that_needs_a_base_is_one_sentence(
    split_folder: tuple[Path, Path], hub: Hub, tmp_path: Path, bases: dict[str, str]
) -> None:
    folder, _ = split_folder
    for name, base in bases.items():
        written = json.loads((folder / BASE).read_text())
        (folder / BASE).write_text(json.dumps(written | {"base": base}))
        hub.add(name, folder)
    with pytest.raises(EngineError, match=r"published without .* ask its author to publish the whole base"):
        get_model("me/a")
    assert not list((tmp_path / "author" / "models").glob("me--*"))


def test_without_its_base_on_this_machine_the_whole_folder_is_published(
    hub: Hub, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = write_run(tmp_path / "run", weights, "clip-at", named=BASIS)
    push(made, "me/run", "--dry-run")
    shown = capsys.readouterr().out
    assert "pictures.safetensors" in shown and BASE not in shown


@pytest.mark.parametrize(
    ("method", "setting", "options"),
    [("dp-clip", "fine-grained", {}), ("splip", "category", {"text_cost": "per-image"})],
)
def test_what_cannot_be_exported_is_published_without_a_model_and_push_says_so(
    weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    method: str,
    setting: str,
    options: dict[str, str],
) -> None:
    push(write_run(tmp_path / "run", weights, method, setting, **options), "me/run", "--dry-run")
    shown = capsys.readouterr()
    assert "it is published without a model to search with (" in shown.err
    assert "adapter.safetensors" in shown.out and ".onnx" not in shown.out and OWN not in shown.out


def test_a_model_that_shares_little_is_published_whole(hub: Hub, weights: Path, tmp_path: Path) -> None:
    get_model(BASIS)
    push(write_run(tmp_path / "run", weights, "full-fine-tune", named=BASIS), "me/run")
    files = hub.repositories["me/run"].files
    assert "pictures.safetensors" in files and BASE not in files
    assert np.all([b"/" + tmp_path.name.encode() not in body for body in files.values()])
