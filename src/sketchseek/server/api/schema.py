"""The parts of the OpenAPI schema that routes say by hand: forms, files, errors."""

from typing import Any

from sketchseek.server.api.answers import Error
from sketchseek.server.api.filters import Filters
from sketchseek.server.api.forms import FILES, MANY
from sketchseek.server.protection import limits


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Every status a route may refuse with; 403 and 401 come before any route."""
    return {status: {"model": Error} for status in (401, 403, *statuses)}


def binary(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """A picture as answer."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    return {200: {"description": "The picture.", "content": content}, 304: {"description": "As it was."}}


def _many(name: str, most: int) -> dict[str, Any]:
    letters = {"maxLength": limits.TEXT_LETTERS} if name in ("text", "minus") else {}
    item = {"type": "string", "format": "binary"} if name in FILES else {"type": "string", **letters}
    return {"type": "array", "items": item, "maxItems": most}


def _form(**more: Any) -> dict[str, Any]:
    filters = Filters.model_json_schema()["properties"]
    weights = {"type": "string", "examples": ['{"text": 0.5}']}
    strokes = {"type": "string", "examples": ['{"drawing": [[[0, 90, 90], [0, 0, 90]]], "sheet": [100, 100]}']}
    many = {name: _many(name, most) for name, most in MANY.items()}
    properties = {"strokes": strokes, **many, "weights": weights, **filters, **more}
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if more:
        schema["required"] = sorted(more)
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


FORM = _form()
FORM_OF_PHOTO = _form(id={"type": "string", "pattern": "^[0-9a-f]{16}$"})
