"""Adding, following and forgetting folders on the page: in real processes, with the guards of the command line."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from sketchseek.server.app import create_app
from sketchseek.server.places import Places
from sketchseek.server.service import Service
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, png, put
from tests.server.conftest import make_service
from tests.server.live import live, wait_until
from tests.server.uploads import refusal


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    fill(home / "Pictures", 3)
    put(home / "Pictures" / "broken.jpg", b"\xff\xd8\xff not a photo")
    fill(home / "Camera", 2, first=50)
    return home


@pytest.fixture(scope="module")
def browser(home: Path) -> Iterator[httpx2.Client]:
    """A client of a server with an empty gallery."""
    options = ["--gallery", str(home / "gallery"), "--model", "grid-plain", "--browse", str(home)]
    with live(*options) as server:
        yield server.client


def status(client: Any) -> dict[str, Any]:
    return dict(client.get("/api/status").json())


def finished(client: Any) -> dict[str, Any]:
    wait_until(lambda: status(client)["indexing"]["state"] not in ("looking", "indexing"))
    return status(client)


def test_from_an_empty_gallery_to_photos_and_back(browser: httpx2.Client, home: Path) -> None:
    begin = browser.get("/api/places").json()
    assert begin["folders"] == [home.name]
    assert begin["suggestions"] == [f"{home.name}/Pictures"]
    pictures = f"{home.name}/Pictures"
    listed = browser.get("/api/places", params={"folder": pictures}).json()
    assert listed["folder"] == pictures and listed["parent"] == home.name
    assert listed["folders"] == [] and listed["photos"] == 4 and not listed["more"]
    assert status(browser)["adds_folders"]
    assert "no folders yet" in refusal(browser.post("/api/folders/scan"), 409)

    added = browser.post("/api/folders/add", params={"folder": pictures})
    assert added.status_code == 202 and added.json()["state"] in ("looking", "indexing", "done")
    now = finished(browser)
    assert (now["photos"], now["failed"]) == (3, 1)
    assert [one["folder"] for one in now["folders"]] == ["Pictures"]

    # Failed files are opened again only on request.
    put(home / "Pictures" / "more.png", png(7))
    assert browser.post("/api/folders/scan").status_code == 202
    assert finished(browser)["indexing"]["total"] == 1
    assert browser.post("/api/folders/scan", params={"retry": "true"}).status_code == 202
    assert finished(browser)["indexing"]["total"] == 1  # the broken one
    assert status(browser)["photos"] == 4

    browser.post("/api/folders/add", params={"folder": f"{home.name}/Camera"})
    assert finished(browser)["photos"] == 6
    gone = browser.post("/api/folders/forget", params={"folder": "Pictures"})
    assert gone.json() == {"files": 5}
    now = status(browser)
    assert now["photos"] == 2 and [one["folder"] for one in now["folders"]] == ["Camera"]
    assert len(list((home / "Pictures").iterdir())) == 5  # the files stay
    assert "no such folder" in refusal(browser.post("/api/folders/forget", params={"folder": "Pictures"}), 404)
    browser.post("/api/folders/scan")
    assert finished(browser)["photos"] == 2


def test_changes_are_followed_while_the_switch_is_on(browser: httpx2.Client, home: Path) -> None:
    pytest.importorskip("watchfiles")
    browser.post("/api/folders/add", params={"folder": f"{home.name}/Camera"})
    finished(browser)
    assert not status(browser)["watching"]
    assert browser.post("/api/folders/watch", params={"on": "true"}).json() == {"watching": True}
    assert status(browser)["watching"]
    time.sleep(0.5)
    (added,) = fill(home / "Camera", 1, first=60)
    wait_until(lambda: status(browser)["photos"] == 3)
    added.unlink()
    wait_until(lambda: status(browser)["photos"] == 2)
    assert browser.post("/api/folders/watch", params={"on": "false"}).json() == {"watching": False}
    finished(browser)


def test_a_run_is_paused_and_goes_on(tmp_path: Path) -> None:
    fill(tmp_path / "many", 200)
    with live("--gallery", str(tmp_path / "gallery"), "--model", "grid-slow", "--browse", str(tmp_path)) as server:
        client = server.client
        assert "no run was stopped" in refusal(client.post("/api/indexing/resume"), 409)
        client.post("/api/folders/add", params={"folder": f"{tmp_path.name}/many"})
        wait_until(lambda: status(client)["photos"] >= 32)
        busy = "photos are being indexed now"
        assert busy in refusal(client.post("/api/folders/scan"), 409)
        assert busy in refusal(client.post("/api/folders/forget", params={"folder": "many"}), 409)
        assert client.post("/api/indexing/stop").json()["state"] == "stopped"
        kept = status(client)["photos"]
        assert 32 <= kept < 200
        assert client.post("/api/indexing/resume").status_code == 202
        now = finished(client)
        assert now["photos"] == 200 and now["indexing"]["total"] == 200 - kept


def test_folders_outside_are_not_listed_and_not_added(browser: httpx2.Client, home: Path) -> None:
    (home / "link").symlink_to("/etc")
    for name in ("/etc", "../", f"{home.name}/..", f"{home.name}/link", "etc", f"{home.name}/missing", str(home)):
        assert "outside" in refusal(browser.get("/api/places", params={"folder": name}), 404)
        assert "no such folder" in refusal(browser.post("/api/folders/add", params={"folder": name}), 404)
    (home / "link").unlink()


def test_a_folder_whose_drive_hangs_costs_a_deadline(
    gallery_path: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each keeps its thread; others are listed as long as there are threads, and then refused."""
    service = make_service(gallery_path, GridModel(), tmp_path, folder_seconds=2, folders=3)
    service.places = Places([home])
    free, real = threading.Event(), os.path.realpath

    def hang(path: Path) -> str:
        if Path(path).name == "Pictures":
            free.wait(60)
        return real(path)

    monkeypatch.setattr(os.path, "realpath", hang)
    with TestClient(create_app(service), base_url="http://127.0.0.1:8000") as client:
        try:
            for path in ("places", "folders/add"):
                method = "GET" if path == "places" else "POST"
                late = client.request(method, f"/api/{path}", params={"folder": f"{home.name}/Pictures"})
                assert "check its drive" in refusal(late, 503) and late.headers["retry-after"]
            assert client.get("/api/places", params={"folder": f"{home.name}/Camera"}).status_code == 200
            client.get("/api/places", params={"folder": f"{home.name}/Pictures"})
            assert "at its limit" in refusal(client.get("/api/places", params={"folder": f"{home.name}/Camera"}), 503)
            assert client.get("/api/status").status_code == 200
        finally:
            free.set()
        wait_until(lambda: service.folders.in_flight == 0)
        assert service.indexing.status.state == "idle"  # what came too late adds nothing
        assert client.get("/api/places", params={"folder": f"{home.name}/Camera"}).status_code == 200


def test_nothing_is_indexed_while_a_folder_is_forgotten(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.indexing, "start", lambda *_, **__: True)
    monkeypatch.setattr(service.indexing, "resume", lambda: True)
    for change in (lambda: service.index([]), lambda: service.change_model("default"), service.resume):
        assert change()
        with service._forgetting:
            assert not change()


def test_a_server_without_places_adds_nothing(client: TestClient) -> None:
    assert "command line" in refusal(client.get("/api/places"), 403)
    assert "command line" in refusal(client.post("/api/folders/add", params={"folder": "Pictures"}), 403)
    assert not status(client)["adds_folders"]


@pytest.mark.parametrize(
    "path", ["folders/add?folder=x", "folders/scan", "folders/forget?folder=Pictures", "folders/watch?on=true"]
)
def test_other_sites_change_nothing(client: TestClient, path: str) -> None:
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}, {"host": "evil.example"}):
        assert client.post(f"/api/{path}", headers=headers).status_code == 403
    assert client.get(f"/api/{path}").status_code == 404  # only POST changes anything
    now = status(client)
    assert now["indexing"]["state"] == "idle" and not now["watching"] and now["photos"] == 16
