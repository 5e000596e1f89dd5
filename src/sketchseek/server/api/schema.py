"""The parts of the OpenAPI schema that FastAPI cannot infer: multipart forms, pictures, errors."""

from collections.abc import Iterable
from typing import Any

from sketchseek.gallery.collections import MAX_NAME
from sketchseek.server.api.filters import Filters
from sketchseek.server.api.forms import FILE_FIELDS, REPEATED_FIELDS
from sketchseek.server.api.responses import Error
from sketchseek.server.protection import limits


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error statuses of a route; 401, 403 and 429 can occur on every route."""
    return {status: {"model": Error} for status in sorted((401, 403, 429, *statuses))}


def picture(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """A response that is a picture."""
    return {
        200: {"description": "The picture.", "content": _binary(media_types)},
        304: {"description": "Not modified."},
    }


def download(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """A response that is a file to be saved."""
    return {200: {"description": "The file.", "content": _binary(media_types)}}


def _binary(media_types: Iterable[str]) -> dict[str, Any]:
    return {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in media_types}


def _repeated(name: str, max_items: int) -> dict[str, Any]:
    length = {"maxLength": limits.MAX_TEXT_LENGTH} if name in ("text", "minus") else {}
    item = {"type": "string", "format": "binary"} if name in FILE_FIELDS else {"type": "string", **length}
    return {"type": "array", "items": item, "maxItems": max_items}


def _form(**required: Any) -> dict[str, Any]:
    filters = Filters.model_json_schema()["properties"]
    weights = {"type": "string", "examples": ['{"text": 0.5}']}
    drawing = '{"drawing": [[[0, 90, 90], [0, 0, 90]]], "sheet": [100, 100], "widths": [1], "colours": ["#2b6cd4"]}'
    strokes = {"type": "string", "examples": [drawing]}
    repeated = {name: _repeated(name, count) for name, count in REPEATED_FIELDS.items()}
    properties = {"strokes": strokes, **repeated, "weights": weights, **filters, **required}
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = sorted(required)
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def _texts(**properties: dict[str, Any]) -> dict[str, Any]:
    """A form of these fields, all required."""
    fields = {name: {"type": "string", **one} for name, one in properties.items()}
    schema = {"type": "object", "properties": fields, "required": sorted(fields), "additionalProperties": False}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


_NAME = {"minLength": 1, "maxLength": MAX_NAME}
COLLECT_FORM = _texts(name=_NAME, ids={"examples": ["0123456789abcdef 0123456789abcdee"]})
SAVE_FORM = _texts(name=_NAME, query={"examples": ['{"text": "a bicycle"}']})
SEARCH_FORM = _form()
EXPLAIN_FORM = _form(id={"type": "string", "pattern": "^[0-9a-f]{16}$"})
