"""Changing the model of a running server: with two real models, in real processes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from sketchseek.engine.get import get_model
from sketchseek.gallery import Gallery
from tests.gallery.photos import fill
from tests.hub import published
from tests.hub.loopback import FIRST, serve

PHOTOS = 20
FORM = {"text": "a cat", "k": "50", "min_relevance": "0"}


def test_the_models_are_listed(client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SKETCHSEEK_MODELS", str(tmp_path))
    models = {model["name"]: model for model in client.get("/api/models").json()["models"]}
    assert models["default"]["here"] and not models["default"]["current"]
    assert models["clip"] == {
        "name": "clip",
        "about": "CLIP ViT-B/32, the backbone of the three papers",
        "licence": "MIT (OpenAI's code; the card names none for the weights)",
        "languages": "English",
        "speed": "medium",
        "bytes": 605157884,
        "here": False,
        "vectors": 0,
        "current": False,
    }


@pytest.mark.parametrize("name", ["nothing", "owner--model", "lite", "fetched"])
def test_only_models_of_the_list_are_used(client: TestClient, name: str) -> None:
    refused = client.post(f"/api/models/{name}/use")
    assert refused.status_code == 404 and "/api/models lists" in refused.json()["error"]


@pytest.mark.parametrize("name", ["..", "%2e%2e%2fx", "openai%2Fclip", "a" * 200, "%00"])
def test_names_are_no_paths(client: TestClient, name: str) -> None:
    assert client.post(f"/api/models/{name}/use").status_code in (404, 405, 422)


@pytest.mark.parametrize("path", ["/api/models/default/use", "/api/indexing/stop"])
def test_other_sites_change_nothing(client: TestClient, path: str) -> None:
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}, {"host": "evil.example"}):
        assert client.post(path, headers=headers).status_code == 403
    assert client.get(path).status_code == 404  # only POST changes anything
    assert client.get("/api/status").json()["indexing"]["state"] == "idle"


class Server:
    """``sketchseek serve`` with the models of this package."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "sketchseek",
                "serve",
                "--gallery",
                str(home / "gallery"),
                "--port",
                "0",
                "--no-browser",
            ],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )
        assert self.process.stdout
        self.client = httpx2.Client(base_url=self.process.stdout.readline().strip(), timeout=120)

    def status(self) -> dict[str, Any]:
        return dict(self.client.get("api/status").json())

    def use(self, name: str) -> dict[str, Any]:
        """Change to a model and wait for the end; the last status."""
        started = self.client.post(f"api/models/{name}/use")
        assert started.status_code == 202, started.text
        end = time.monotonic() + 120
        while (now := self.status())["indexing"]["state"] not in ("done", "failed", "stopped"):
            assert self.search(), "searches go on"
            assert time.monotonic() < end
            time.sleep(0.05)
        return now

    def search(self) -> list[tuple[str, float]]:
        found = self.client.post("api/search", files={name: (None, value) for name, value in FORM.items()})
        assert found.status_code == 200, found.text
        return [(hit["id"], hit["score"]) for hit in found.json()["hits"]]

    def close(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.communicate()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    """A server on a gallery indexed with the default model; a hub has something else under the name ``tinyclip``."""
    fill(tmp_path / "photos", PHOTOS)
    with Gallery.open(tmp_path / "gallery") as gallery:
        gallery.add(tmp_path / "photos")
    published.clip(tmp_path / "tiny")
    with serve() as hub:
        from sketchseek.hub.catalog import short_names

        entry = short_names()["tinyclip"]
        hub.add(entry.name, tmp_path / "tiny", commit=entry.revision or FIRST)
        server = Server(tmp_path, hub.environment(tmp_path))
        yield server, tmp_path
        server.close()


def test_a_model_is_indexed_and_then_searched_with_and_back(server: tuple[Server, Path]) -> None:
    running, home = server
    published.clip(home / "other", seed=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKETCHSEEK_MODELS", str(home / "models"))
        got = get_model(str(home / "other"))
    before = running.search()
    now = running.use(got.name)
    assert (now["model"], now["indexing"]["state"], now["indexing"]["model"]) == ("other", "done", "other"), now
    after = running.search()
    assert len(after) == PHOTOS and after != before
    models = {model["name"]: model for model in running.client.get("api/models").json()["models"]}
    assert models["other"]["current"] and models["other"]["vectors"] == models["default"]["vectors"] == PHOTOS
    started = time.monotonic()
    now = running.use("default")
    assert (now["model"], now["indexing"]["done"]) == ("default", 0), now  # nothing is encoded
    assert time.monotonic() - started < 60 and running.search() == before
    with Gallery.open(home / "gallery", readonly=True) as gallery:
        assert [one.name for one in gallery.stats().models if one.current] == ["default"]


def test_a_download_that_is_not_the_published_one_is_refused_and_the_old_model_stays(
    server: tuple[Server, Path],
) -> None:
    running, home = server
    before = running.search()
    now = running.use("tinyclip")
    assert now["indexing"]["state"] == "failed" and "is not what it was (SHA-256" in now["indexing"]["error"]
    assert now["model"] == "default" and running.search() == before
    assert not (home / "models" / "tinyclip").exists()


def test_a_stopped_change_goes_on(server: tuple[Server, Path]) -> None:
    running, home = server
    fill(home / "photos" / "more", 400)
    published.clip(home / "other", width=256, depth=6, seed=6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKETCHSEEK_MODELS", str(home / "models"))
        get_model(str(home / "other"))
    assert running.client.post("api/models/other/use").status_code == 202
    assert running.client.post("api/models/other/use").status_code == 409
    end = time.monotonic() + 120
    while running.status()["indexing"]["done"] < 32:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert running.client.post("api/indexing/stop").json()["state"] == "stopped"
    assert running.status()["model"] == "default"
    now = running.use("other")
    assert now["model"] == "other" and now["indexing"]["done"] <= 400 + PHOTOS - 32, now
