"""Backbones by name, against a hub of the test's own on the loopback: pinned, checked, remembered."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sketchseek.errors import SketchseekError
from sketchseek.hub import catalog, states
from sketchseek.hub.layouts import files_to_take
from tests.hub.loopback import FIRST, Hub, Repository, serve, sha256

NAME = "someone/tiny-clip"
SECOND = "2" * 40
FACTS = Hub.facts


@pytest.fixture
def hub(tiny_clip_folder: Path) -> Iterator[Hub]:
    with serve() as hub:
        hub.add(NAME, tiny_clip_folder)
        yield hub


Fetch = Callable[..., tuple[dict[str, Any], str]]

PROGRAM = """
import json, sys
from sketchseek.hub import catalog
from sketchseek.hub.fetch import fetch
from sketchseek.errors import SketchseekError
if len(sys.argv) > 2:
    entry = json.loads(sys.argv[2])
    pin = entry.pop("pin", None)
    entry = catalog.Published(**entry, pin=pin and catalog.Pin(**pin))
    catalog.published = lambda: {entry.name: entry}
    sys.modules["sketchseek.hub.states"].published = catalog.published
try:
    files = fetch(sys.argv[1])
except SketchseekError as error:
    sys.exit(f"{error}")
heavy = {"torch", "transformers"} & set(sys.modules)
fetched = [line for line in catalog.list_backbones() if line.here and line.kind != "shipped"]
listed = [(line.name, line.kind, line.here, line.pinned) for line in fetched]
print(json.dumps({"files": {p.name: str(p) for p in files.all}, "identity": files.identity, "heavy": sorted(heavy),
                  "listed": listed}))
"""


@pytest.fixture
def fetch(hub: Hub, tmp_path: Path) -> Fetch:
    """Fetch a name in a process of its own, for the hub's library reads its settings once: the result, the talk."""

    def run(spec: str = NAME, *, entry: dict[str, Any] | None = None, **settings: str) -> tuple[dict[str, Any], str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        environment |= {**hub.environment(tmp_path), **settings}
        arguments = [sys.executable, "-c", PROGRAM, spec, *([json.dumps(entry)] if entry else [])]
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=120)
        return json.loads(done.stdout) if done.returncode == 0 else {}, done.stderr

    return run


def test_a_name_gives_the_files_the_hub_has(fetch: Fetch, tiny_clip_folder: Path) -> None:
    found, said = fetch()
    assert said == ""  # no progress bar where there is no terminal
    assert found["files"].keys() == {path.name for path in tiny_clip_folder.iterdir()}
    for name, path in found["files"].items():
        assert Path(path).read_bytes() == (tiny_clip_folder / name).read_bytes()
    assert found["heavy"] == []
    assert found["listed"] == [[NAME, "fetched", True, False]]


def test_a_name_that_is_here_is_not_requested_again(fetch: Fetch, hub: Hub) -> None:
    first, _ = fetch()
    hub.requested.clear()
    again, _ = fetch()
    offline, _ = fetch(HF_HUB_OFFLINE="1")
    assert first == again == offline
    assert hub.requested == []


def test_a_name_stays_at_the_state_of_its_first_download(fetch: Fetch, hub: Hub) -> None:
    first, _ = fetch()
    hub.repositories[NAME].commits[SECOND] = {
        **hub.repositories[NAME].files,
        "README.md": b"news",
        "config.json": b"{}",
    }
    hub.repositories[NAME].main = SECOND
    assert fetch()[0] == first
    assert fetch(f"{NAME}@{SECOND}")[0]["identity"] != first["identity"]


def test_a_file_that_changes_on_this_machine_is_noticed(fetch: Fetch) -> None:
    found, _ = fetch()
    weights = Path(found["files"]["model.safetensors"]).resolve()
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    nothing, said = fetch()
    assert not nothing
    assert "model.safetensors" in said and "SHA-256" in said and len(said.splitlines()) == 1


def test_weights_unlike_the_announced_hash_are_refused(fetch: Fetch, hub: Hub) -> None:
    hub.announced["model.safetensors"] = "0" * 64
    nothing, said = fetch()
    assert not nothing and "SHA-256" in said and len(said.splitlines()) == 1


UNSAID = {"short": "tiny", "about": "", "languages": "", "speed": ""}


def entry_of(hub: Hub, digest: str, revision: str = FIRST) -> dict[str, Any]:
    files = {name: digest if name == "model.safetensors" else None for name in hub.repositories[NAME].commits[FIRST]}
    pin = {"revision": revision, "files": files}
    return {**UNSAID, "name": NAME, "licence": "MIT", "bytes": 1, "revision": revision, "pin": pin}


def test_a_name_of_the_catalogue_gives_its_pinned_revision(fetch: Fetch, hub: Hub) -> None:
    hub.repositories[NAME].commits[SECOND] = {**hub.repositories[NAME].files, "config.json": b"{}"}
    hub.repositories[NAME].main = SECOND
    found, said = fetch(entry=entry_of(hub, sha256(hub.repositories[NAME].commits[FIRST]["model.safetensors"])))
    assert f"/{FIRST}/" in found["files"]["config.json"], said
    assert found["listed"] == [[NAME, "published", True, True]]
    assert not [path for path in hub.requested if SECOND in path or "/main" in path]


def test_a_name_of_the_catalogue_gives_its_pinned_weights_or_nothing(fetch: Fetch, hub: Hub) -> None:
    nothing, said = fetch(entry=entry_of(hub, "0" * 64))
    assert not nothing and "SHA-256" in said


def test_a_revision_known_without_a_hash_is_the_one_looked_up(fetch: Fetch, hub: Hub) -> None:
    hub.repositories[NAME].commits[SECOND] = {**hub.repositories[NAME].files, "config.json": b"{}"}
    hub.repositories[NAME].main = SECOND
    found, said = fetch(entry={**entry_of(hub, ""), "pin": None})
    assert f"/{FIRST}/" in found["files"]["config.json"], said


def test_a_sharded_checkpoint_comes_whole(fetch: Fetch, hub: Hub) -> None:
    weights = hub.repositories[NAME].commits[FIRST].pop("model.safetensors")
    hub.repositories[NAME].commits[FIRST] |= {f"model-0000{n}-of-00002.safetensors": weights for n in (1, 2)}
    hub.repositories[NAME].commits[FIRST]["model.safetensors.index.json"] = b"{}"
    found, said = fetch()
    assert [name for name in found["files"] if "safetensors" in name] == [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ], said


def test_open_clip_files_serve_where_there_are_no_others(fetch: Fetch, hub: Hub) -> None:
    files = hub.repositories[NAME].commits[FIRST]
    files["open_clip_model.safetensors"] = files.pop("model.safetensors")
    files["open_clip_config.json"] = files.pop("config.json")
    assert {"open_clip_model.safetensors", "open_clip_config.json"} <= fetch()[0]["files"].keys()


@pytest.mark.parametrize(
    ("spec", "settings", "words"),
    [
        ("someone/nothing", {}, "is not on the hub"),
        (f"{NAME}@nowhere", {}, "no such revision"),
        (NAME, {"HF_ENDPOINT": "http://127.0.0.1:9"}, "cannot be downloaded"),
        (NAME, {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE"),
        ("openai/clip-vit-base-patch32", {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE"),
        ("openai/clip-vit-base-patch32", {"HF_ENDPOINT": "http://127.0.0.1:9"}, "cannot be downloaded"),
    ],
)
def test_a_failure_is_one_sentence(fetch: Fetch, spec: str, settings: dict[str, str], words: str) -> None:
    nothing, said = fetch(spec, **settings)
    assert not nothing
    assert words in said and "name the path" in said and len(said.splitlines()) == 1, said


def test_a_repository_of_pickles_is_not_fetched(fetch: Fetch, hub: Hub) -> None:
    hub.repositories[NAME].commits[FIRST]["pytorch_model.bin"] = (
        hub.repositories[NAME].commits[FIRST].pop("model.safetensors")
    )
    nothing, said = fetch()
    assert not nothing and "--trust-pickle" in said
    assert not [path for path in hub.requested if path.endswith(".bin")]


def test_a_repository_of_something_else_is_refused(fetch: Fetch, hub: Hub) -> None:
    del hub.repositories[NAME].commits[FIRST]["tokenizer.json"]
    nothing, said = fetch()
    assert not nothing and "no tokenizer.json" in said


LAION = {"open_clip_model.safetensors": b"pinned", "open_clip_config.json": b"{}", "tokenizer.json": b"{}"}


def served(hub: Hub, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> str:
    """A repository whose open_clip weights this release pins; it is looked up in this process."""
    hub.repositories["laion/pinned"] = Repository({FIRST: LAION | files})
    names = {**dict.fromkeys(LAION), "open_clip_model.safetensors": sha256(b"pinned")}
    pin = catalog.Pin(FIRST, names)
    entry = catalog.Published("laion/pinned", "pinned", "", "", "", "", bytes=1, revision=FIRST, pin=pin)
    monkeypatch.setattr(states, "published", lambda: {entry.name: entry})
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
    monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", hub.url)
    monkeypatch.setenv("NO_PROXY", "*")
    return entry.name


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"model.safetensors": b"other", "config.json": b"{}"},
        {"golden.npz": b"a model folder", "config.json": b"{}"},
        {"visual/model.onnx": b"", "textual/model.onnx": b""},
    ],
)
def test_only_weights_whose_hash_is_pinned_are_taken(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, more: dict[str, bytes]
) -> None:
    monkeypatch.setenv("SKETCHSEEK_MODELS", str(tmp_path))
    found = states.look_up(served(hub, more, monkeypatch), files_to_take)
    assert found.pin.files == {**dict.fromkeys(LAION), "open_clip_model.safetensors": sha256(b"pinned")}


def test_a_pinned_repository_without_its_pinned_weights_is_refused(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SKETCHSEEK_MODELS", str(tmp_path))
    name = served(hub, {"adapter.safetensors": b"", "recipe.toml": b""}, monkeypatch)
    del hub.repositories[name].commits[FIRST]["open_clip_model.safetensors"]
    with pytest.raises(SketchseekError, match=r"without open_clip_model\.safetensors|has no CLIP or SigLIP"):
        states.look_up(name, files_to_take)


def test_another_commit_than_the_pinned_one_is_refused(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SKETCHSEEK_MODELS", str(tmp_path))
    name = served(hub, {}, monkeypatch)
    monkeypatch.setattr(type(hub), "facts", lambda self, name, _: {**FACTS(self, name, FIRST), "sha": SECOND})
    with pytest.raises(SketchseekError, match="another commit"):
        states.look_up(name, files_to_take)
