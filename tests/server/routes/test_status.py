import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import sketchseek
from sketchseek.pictures.formats import FORMATS
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
