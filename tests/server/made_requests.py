"""Requests made from the committed schema by schemathesis, and what every answer must hold."""

from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.checks import CHECKS

from tests.server.live import ROOT
from tests.server.uploads import CORNER, SVG, picture

SECONDS = 100.0  # for an answer, on a busy machine
COMMITTED = ROOT / "docs" / "openapi.json"
HELD = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"]
FILES = [picture(), picture("JPEG"), picture("GIF"), picture("WEBP")[:60], SVG, CORNER.encode(), b"\0" * 100]

schemathesis.openapi.format("binary", st.one_of(st.sampled_from(FILES), st.binary(max_size=500)))
contract = schemathesis.openapi.from_path(COMMITTED)
# These three have no parameters.
asking = contract.exclude(path=["/healthz", "/metrics", "/api/status"])


def send(case: Any, url: str, id: str | None) -> None:
    """``id``: of a photo to ask for, because ids of missing photos test little; None to ask as it was made."""
    if id is not None:
        _name(case.path_parameters, "id", id)
        _name(case.body, "id", id)
        _name(case.body, "like", [id])
        _name(case.body, "unlike", [])
    case.call_and_validate(base_url=url, checks=CHECKS.get_by_names(HELD), timeout=SECONDS)


def _name(fields: Any, name: str, value: Any) -> None:
    if isinstance(fields, dict) and name in fields:
        fields[name] = value
