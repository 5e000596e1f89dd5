"""The list of backbones: what is known, what is here, found without heavy imports."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sketchseek import load_model
from sketchseek.caches import models_folder
from sketchseek.errors import SketchseekError
from sketchseek.hub.catalog import Pin, list_backbones, published, record_pin, recorded_pin, shipped, short_names
from sketchseek.hub.fetch import is_hub_name
from sketchseek.hub.find import find_backbone
from sketchseek.hub.names import checked_name, folder_name, repository


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty models directory and an empty cache of the hub's library."""
    monkeypatch.setenv("SKETCHSEEK_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "models"


def test_pins_are_whole_hashes() -> None:
    assert len(published()) >= 6
    for name, entry in published().items():
        assert is_hub_name(name) and name == entry.name and entry.about and entry.licence
        assert entry.languages and entry.speed in {"fast", "medium", "slow", "very slow"}
        assert entry.revision is None or re.fullmatch("[0-9a-f]{40}", entry.revision)
        if entry.pin is not None:
            weights, *others = entry.pin.files.items()
            assert weights[0].endswith(".safetensors") and re.fullmatch("[0-9a-f]{64}", weights[1] or "")
            assert {name for name, _ in others} >= {"tokenizer.json"}


def test_short_names_are_unique_and_lead_to_repositories() -> None:
    assert len(short_names()) == len(published())
    for short, entry in short_names().items():
        assert repository(short) == repository(entry.name) == entry.name
        assert folder_name(entry.name) == checked_name(short) == short
    assert repository("some/other@main") == "some/other@main" and folder_name("some/other@main") == "some--other--main"
    assert repository("klip") is None and repository("a/b/c") is None


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", "fetched", "x" * 200, "a b", "nul\0"])
def test_what_cannot_name_a_folder_is_refused(name: str) -> None:
    with pytest.raises(SketchseekError, match="cannot be the name of a model"):
        checked_name(name)


def test_nothing_is_here_on_a_fresh_machine(models: Path) -> None:
    trained = [name for name, entry in published().items() if entry.trains]
    assert [line.name for line in list_backbones()] == [*sorted(shipped()), *trained]
    assert not any(line.here or line.path for line in list_backbones() if line.kind != "shipped")
    assert not models.exists()  # looking makes nothing


def test_what_lies_in_the_hubs_cache_is_here(tmp_path: Path, tiny_clip_folder: Path) -> None:
    name = "openai/clip-vit-base-patch32"
    revision = published()[name].revision
    snapshot = tmp_path / "hub" / "models--openai--clip-vit-base-patch32" / "snapshots" / str(revision)
    snapshot.mkdir(parents=True)
    shutil.copy(tiny_clip_folder / "config.json", snapshot)
    assert not any(line.here for line in list_backbones() if line.kind != "shipped")  # a part of it is not enough
    shutil.copytree(tiny_clip_folder, snapshot, dirs_exist_ok=True)
    (line,) = (line for line in list_backbones() if line.here and line.kind != "shipped")
    assert (line.name, line.path, line.pinned) == (name, snapshot, True)
    assert line.bytes == sum(path.stat().st_size for path in snapshot.iterdir())
    with pytest.raises(SketchseekError, match="SHA-256"):
        find_backbone(name)  # there, but not what is pinned


def test_folders_in_the_models_directory_are_listed_and_found_by_name(models: Path, tiny_clip_folder: Path) -> None:
    shutil.copytree(tiny_clip_folder, models / "mine")
    (models / "something-else").mkdir()
    (line,) = (line for line in list_backbones() if line.here and line.kind != "shipped")
    assert (line.name, line.kind, line.path) == ("mine", "folder", models / "mine")
    assert find_backbone("mine").name == "mine"


def test_paths_are_found(tiny_clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_backbone(tiny_clip_folder).folder == tiny_clip_folder
    assert find_backbone(tiny_clip_folder / "model.safetensors").weights == (tiny_clip_folder / "model.safetensors",)
    monkeypatch.chdir(tiny_clip_folder.parent)
    assert find_backbone(tiny_clip_folder.name).name == tiny_clip_folder.name
    monkeypatch.chdir(tiny_clip_folder)
    assert find_backbone(".").name == tiny_clip_folder.name


@pytest.mark.parametrize("name", ["no-such-name", "", "..", "a/b/c", "/no/such/folder", "a b/c", "~no-such-user/x"])
def test_what_cannot_be_found_is_reported_with_the_choices(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SketchseekError) as caught:
        find_backbone(name)
    assert "\n" not in str(caught.value)
    assert "config.json" in str(caught.value) or "has no weights" in str(caught.value)


@pytest.mark.parametrize("call", [find_backbone, load_model])
@pytest.mark.parametrize("name", ["~no-such-user/x", "~no-such-user", "x" * 5000, "nul\0byte"])
def test_what_cannot_be_a_path_is_one_sentence(call: Callable[[str], object], name: str) -> None:
    with pytest.raises(SketchseekError, match=r"no model|cannot be opened as a model"):
        call(name)


@pytest.mark.parametrize("call", [find_backbone, load_model])
def test_a_place_without_permission_says_so(
    call: Callable[[Path], object], tiny_clip_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sketchseek.hub.find.os.access", lambda *_: False)  # root may read everything
    with pytest.raises(SketchseekError, match="permission to read it is denied"):
        call(tiny_clip_folder)


def test_a_models_folder_of_an_unknown_user_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKETCHSEEK_MODELS", "~no-such-user/models")
    with pytest.raises(SketchseekError, match="SKETCHSEEK_MODELS is ~no-such-user/models"):
        list_backbones()


def test_records_come_back_as_they_were(models: Path) -> None:
    pin = Pin("1" * 40, {"model.safetensors": "2" * 64})
    assert recorded_pin("some/model@refs/pr/1") is None
    record_pin("some/model@refs/pr/1", pin)
    assert recorded_pin("some/model@refs/pr/1") == pin
    assert [path.parent for path in models.rglob("*.json")] == [models / "fetched"]
    for damage in ("", "[]", "{}", '{"revision": "x", "files": 3}'):
        next(models.rglob("*.json")).write_text(damage)
        with pytest.raises(SketchseekError, match="is damaged: delete it"):
            recorded_pin("some/model@refs/pr/1")


def test_a_models_directory_that_cannot_be_written_is_one_sentence(models: Path) -> None:
    models.write_text("a file")
    with pytest.raises(SketchseekError, match="cannot be written"):
        record_pin("some/model", Pin("1" * 40, {}))


def test_the_models_directory_can_be_named(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert models_folder() == models
    monkeypatch.delenv("SKETCHSEEK_MODELS")
    assert models_folder().name == "models" and "sketchseek" in str(models_folder())


def test_listing_and_finding_need_no_torch(tiny_clip_folder: Path) -> None:
    program = (
        "import sys; from sketchseek.hub import catalog, find;"
        f"catalog.list_backbones(); find.find_backbone({str(tiny_clip_folder)!r});"
        "sys.exit(','.join({'torch', 'transformers', 'numpy', 'httpx2'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
