"""The schema is a contract: the committed one is the served one, and requests generated from it cause no 5xx.

The campaign of requests sends fifty thousand of them.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, seed, settings
from starlette.testclient import TestClient

from sketchseek.gallery.reading import read_photo
from sketchseek.gallery.records import content_id
from tests.server.hostile_requests import FIELDS, PATHS
from tests.server.live import Live, live
from tests.server.made_requests import COMMITTED, asking, contract, send
from tests.server.schema import schema

CASES = 300
sent = 0


@pytest.fixture(scope="module")
def ids(photos: Path) -> list[str]:
    """Ids of photos of the gallery."""
    return [content_id(read_photo(os.fsencode(path), 16, lambda _: False).digest) for path in photos.glob("*.png")]


@pytest.fixture(scope="module")
def server(gallery_path: Path, photos: Path) -> Iterator[Live]:
    with live("--gallery", str(gallery_path), "--model", "grid-plain", "--browse", str(photos)) as server:
        yield server
        assert server.process.poll() is None


def test_the_committed_schema_is_the_served_one(client: TestClient) -> None:
    assert COMMITTED.read_text(encoding="utf-8") == schema(), "run: make docs"
    assert client.get("/openapi.json").json()["paths"].keys() == contract.raw_schema["paths"].keys()


def test_every_route_and_field_is_attacked() -> None:
    """By requests made from the schema, where one can give anything, and by those that no browser sends."""
    made = {found.ok().path for found in asking.get_all_operations()}  # type: ignore[union-attr]
    attacked = {path.partition("?")[0] for path in PATHS}
    for path, methods in contract.raw_schema["paths"].items():
        assert path in attacked, "add it to PATHS of hostile_requests.py"
        for operation in methods.values():
            forms = operation.get("requestBody", {}).get("content", {}).values()
            fields = {one["name"] for one in operation.get("parameters", [])}
            fields = fields.union(*(form["schema"].get("properties", {}) for form in forms))
            assert path in made or not fields, "made_requests.py leaves it out"
            assert fields <= set(FIELDS), "add them to FIELDS of hostile_requests.py"


@asking.parametrize()
@seed(1)  # of some requests schemathesis itself fails ("Unsupported type: 'Binary'")
@settings(
    max_examples=CASES // 6,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)
def test_requests_made_from_the_schema_find_no_bug(case: schemathesis.Case, server: Live, ids: list[str]) -> None:  # type: ignore[type-arg]
    global sent
    sent += 1
    send(case, server.url, ids[sent % len(ids)] if sent % 2 else None)
