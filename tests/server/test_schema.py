"""The schema is the contract: the committed one is the served one, and requests made from it find no 5xx."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS
from starlette.testclient import TestClient

from tests.server.live import ROOT, Live, live
from tests.server.schema import schema

COMMITTED = ROOT / "docs" / "openapi.json"
HELD = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"]

contract = schemathesis.openapi.from_path(COMMITTED)


@pytest.fixture(scope="module")
def server(photos: Path, gallery_path: Path) -> Iterator[Live]:
    with live("--gallery", str(gallery_path), "--model", "grid-plain") as server:
        yield server
        assert server.process.poll() is None


def test_the_committed_schema_is_the_served_one(client: TestClient) -> None:
    assert COMMITTED.read_text(encoding="utf-8") == schema(), "run: make docs"
    assert client.get("/openapi.json").json()["paths"].keys() == contract.raw_schema["paths"].keys()


@contract.exclude(path=["/healthz", "/metrics", "/api/status"]).parametrize()  # they take nothing that could be wrong
@settings(max_examples=50, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
def test_requests_made_from_the_schema_find_no_bug(case: schemathesis.Case, server: Live) -> None:
    case.call_and_validate(base_url=server.url, checks=CHECKS.get_by_names(HELD))
