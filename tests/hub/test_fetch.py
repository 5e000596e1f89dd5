"""Backbones by name, against a hub of the test's own on the loopback: pinned, checked, remembered."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

NAME = "someone/tiny-clip"
FIRST, SECOND = "1" * 40, "2" * 40


@dataclass
class Hub:
    """As much of the hub as its own library asks for: one model's facts, and its files by revision."""

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)  # commit -> file -> bytes
    main: str = FIRST
    announced: dict[str, str] = field(default_factory=dict)  # file -> a SHA-256 other than the true one
    requested: list[str] = field(default_factory=list)
    url: str = ""

    def respond(self, path: str) -> tuple[int, dict[str, str], bytes]:
        parts = unquote(urlsplit(path).path).strip("/").split("/")
        self.requested.append("/".join(parts))
        facts = parts[:2] == ["api", "models"]
        if "/".join(parts[2:4] if facts else parts[:2]) != NAME:
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        revision = parts[5] if facts and len(parts) > 5 else "main" if facts else parts[3]
        commit = self.main if revision == "main" else revision
        if commit not in self.files:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        if facts:
            return 200, {"Content-Type": "application/json"}, json.dumps(self.facts(commit)).encode()
        if parts[4] not in self.files[commit]:
            return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}, b""
        body = self.files[commit][parts[4]]
        return 200, {"X-Repo-Commit": commit, "ETag": f'"{sha256(body)}"'}, body

    def facts(self, commit: str) -> dict[str, Any]:
        def sibling(name: str, body: bytes) -> dict[str, Any]:
            large = {"lfs": {"sha256": self.announced.get(name, sha256(body)), "size": len(body), "pointerSize": 130}}
            return {"rfilename": name, "size": len(body), **(large if "json" not in name else {})}

        return {"id": NAME, "sha": commit, "siblings": [sibling(*item) for item in self.files[commit].items()]}


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.fixture
def hub(tiny_clip_folder: Path) -> Iterator[Hub]:
    hub = Hub({FIRST: {path.name: path.read_bytes() for path in tiny_clip_folder.iterdir()}})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = hub.respond(self.path)
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    yield hub
    server.shutdown()
    server.server_close()


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
    sys.modules["sketchseek.hub.fetch"].published = catalog.published
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
        environment |= {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "hf"),
            "SKETCHSEEK_MODELS": str(tmp_path / "models"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_ETAG_TIMEOUT": "2",
            "NO_PROXY": "*",
            **settings,
        }
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
    hub.files[SECOND] = {**hub.files[FIRST], "README.md": b"news", "config.json": b"{}"}
    hub.main = SECOND
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


def entry_of(hub: Hub, digest: str, revision: str = FIRST) -> dict[str, Any]:
    files = {name: digest if name == "model.safetensors" else None for name in hub.files[FIRST]}
    pin = {"revision": revision, "files": files}
    return {"name": NAME, "about": "", "licence": "MIT", "bytes": 1, "revision": revision, "pin": pin}


def test_a_name_of_the_catalogue_gives_its_pinned_revision(fetch: Fetch, hub: Hub) -> None:
    hub.files[SECOND] = {**hub.files[FIRST], "config.json": b"{}"}
    hub.main = SECOND
    found, said = fetch(entry=entry_of(hub, sha256(hub.files[FIRST]["model.safetensors"])))
    assert f"/{FIRST}/" in found["files"]["config.json"], said
    assert found["listed"] == [[NAME, "published", True, True]]
    assert not [path for path in hub.requested if SECOND in path or "/main" in path]


def test_a_name_of_the_catalogue_gives_its_pinned_weights_or_nothing(fetch: Fetch, hub: Hub) -> None:
    nothing, said = fetch(entry=entry_of(hub, "0" * 64))
    assert not nothing and "SHA-256" in said


def test_a_revision_known_without_a_hash_is_the_one_looked_up(fetch: Fetch, hub: Hub) -> None:
    hub.files[SECOND] = {**hub.files[FIRST], "config.json": b"{}"}
    hub.main = SECOND
    found, said = fetch(entry={**entry_of(hub, ""), "pin": None})
    assert f"/{FIRST}/" in found["files"]["config.json"], said


def test_a_sharded_checkpoint_comes_whole(fetch: Fetch, hub: Hub) -> None:
    weights = hub.files[FIRST].pop("model.safetensors")
    hub.files[FIRST] |= {f"model-0000{n}-of-00002.safetensors": weights for n in (1, 2)}
    found, said = fetch()
    assert [name for name in found["files"] if "safetensors" in name] == [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ], said


def test_open_clip_files_serve_where_there_are_no_others(fetch: Fetch, hub: Hub) -> None:
    files = hub.files[FIRST]
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
    hub.files[FIRST]["pytorch_model.bin"] = hub.files[FIRST].pop("model.safetensors")
    nothing, said = fetch()
    assert not nothing and "--trust-pickle" in said
    assert not [path for path in hub.requested if path.endswith(".bin")]


def test_a_repository_of_something_else_is_refused(fetch: Fetch, hub: Hub) -> None:
    del hub.files[FIRST]["tokenizer.json"]
    nothing, said = fetch()
    assert not nothing and "no tokenizer.json" in said
