"""The schema is a contract: the committed one is the served one, and requests generated from it cause no 5xx.

SKETCHSEEK_FUZZ=5000 makes more of them: make fuzz.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS
from starlette.testclient import TestClient

from sketchseek.gallery.reading import read_photo
from sketchseek.gallery.records import content_id
from tests.server.live import ROOT, Live, live
from tests.server.schema import schema
from tests.server.uploads import CORNER, SVG, picture

CASES = int(os.environ.get("SKETCHSEEK_FUZZ", "300"))
COMMITTED = ROOT / "docs" / "openapi.json"
HELD = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"]
FILES = [picture(), picture("JPEG"), picture("GIF"), picture("WEBP")[:60], SVG, CORNER.encode(), b"\0" * 100]

schemathesis.openapi.format("binary", st.one_of(st.sampled_from(FILES), st.binary(max_size=500)))
contract = schemathesis.openapi.from_path(COMMITTED)
# These three have no parameters.
asking = contract.exclude(path=["/healthz", "/metrics", "/api/status"])
sent = 0


@pytest.fixture(scope="module")
def ids(photos: Path) -> list[str]:
    """Ids of photos of the gallery."""
    return [content_id(read_photo(os.fsencode(path), 16, lambda _: False).digest) for path in photos.glob("*.png")]


@pytest.fixture(scope="module")
def server(gallery_path: Path) -> Iterator[Live]:
    with live("--gallery", str(gallery_path), "--model", "grid-plain") as server:
        yield server
        assert server.process.poll() is None
        print(f"\n{sent} requests sent")


def test_the_committed_schema_is_the_served_one(client: TestClient) -> None:
    assert COMMITTED.read_text(encoding="utf-8") == schema(), "run: make docs"
    assert client.get("/openapi.json").json()["paths"].keys() == contract.raw_schema["paths"].keys()


@asking.parametrize()
@settings(
    max_examples=CASES // 6,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    # Always the same requests but for make fuzz: of some schemathesis itself fails ("Unsupported type: 'Binary'").
    derandomize="SKETCHSEEK_FUZZ" not in os.environ,
)
def test_requests_made_from_the_schema_find_no_bug(case: schemathesis.Case, server: Live, ids: list[str]) -> None:  # type: ignore[type-arg]
    global sent
    sent += 1
    known = ids[sent % len(ids)]
    if sent % 2:  # ids of missing photos test little
        _name(case.path_parameters, "id", known)
        _name(case.body, "id", known)
        _name(case.body, "like", [known])
        _name(case.body, "unlike", [])
    case.call_and_validate(base_url=server.url, checks=CHECKS.get_by_names(HELD))  # type: ignore[arg-type]


def _name(fields: Any, name: str, value: Any) -> None:
    if isinstance(fields, dict) and name in fields:
        fields[name] = value
