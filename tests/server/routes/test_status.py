import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import sketchseek
from sketchseek.pictures.formats import FORMATS
from sketchseek.server.api.responses import Collections
from sketchseek.server.service import Service
from tests.server.uploads import post


def test_what_is_in_the_gallery(client: TestClient, photos: Path) -> None:
    status = client.get("/api/status").json()
    reason = status["failures"][0].pop("reason")
    assert "damaged" in reason
    assert str(photos.parent) not in reason
    assert status == {
        "version": sketchseek.__version__,
        "photos": 16,
        "files": 17,
        "duplicates": 0,
        "failed": 1,
        "model": "grid-plain",
        "explains": False,
        "adds_folders": False,
        "watching": False,
        "reveals": False,
        "accepts": [suffix for format in FORMATS if format.supported for suffix in format.suffixes],
        "folders": [{"folder": "Pictures", "path": str(photos)}],
        "indexing": {
            "state": "idle",
            "model": None,
            "done": 0,
            "total": None,
            "failed": 0,
            "photos_per_s": None,
            "seconds": 0.0,
            "error": None,
        },
        "failures": [{"file": "Pictures/broken.jpg"}],
    }


def test_the_pulse(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.fixture
def figures(client: TestClient) -> Iterator[dict[str, float]]:
    post(client, text="red")
    post(client, text="red", k="x")
    client.get("/api/photos/0123456789abcdef/thumbnail")
    client.get("/nothing/here")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    yield {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_figures_for_prometheus(figures: dict[str, float]) -> None:
    assert figures["sketchseek_photos"] == 16
    assert figures["sketchseek_files_failed"] == 1
    assert figures["sketchseek_searches_in_flight"] == 0
    assert figures['sketchseek_indexing{state="idle"}'] == 1
    requests = "sketchseek_requests_total"
    assert figures[requests + '{method="POST",route="/api/search",status="200"}'] == 1
    assert figures[requests + '{method="POST",route="/api/search",status="422"}'] == 1
    assert figures[requests + '{method="GET",route="/api/photos/{id}/thumbnail",status="404"}'] == 1
    assert figures['sketchseek_request_seconds_count{route="/api/search"}'] == 2


def test_addresses_do_not_become_labels(figures: dict[str, float]) -> None:
    assert not [name for name in figures if "nothing" in name or "0123" in name]
    routes = {route for name in figures for route in re.findall(r'route="([^"]*)"', name)}
    assert routes <= {"/api/search", "/api/photos/{id}/thumbnail", "page", "/metrics"}


@pytest.mark.parametrize("method, path", [("POST", "/api/indexing/stop"), ("GET", "/api/collections")])
def test_status_answers_while_other_requests_are_stuck(
    client: TestClient, service: Service, some_id: str, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    begun, free = threading.Semaphore(0), threading.Event()

    def wait(*_: object) -> Collections:
        begun.release()
        free.wait(60)
        return Collections(collections=[], searches=[])

    monkeypatch.setattr(service.indexing, "stop", wait)
    monkeypatch.setattr("sketchseek.server.routes.collections._collections", wait)
    with ThreadPoolExecutor() as threads:
        stuck = [threads.submit(client.request, method, path) for _ in range(4)]
        try:
            for _ in range(2):  # as many as run at once
                assert begun.acquire(timeout=60)
            for report in ("/api/status", "/metrics", f"/api/photos/{some_id}/about"):
                assert threads.submit(client.get, report).result(timeout=20).status_code == 200
        finally:
            free.set()
        assert {answer.result(timeout=60).status_code for answer in stuck} == {200}
