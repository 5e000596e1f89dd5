"""Read the multipart form of a search: checked values, or an error that names the wrong field."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from sketchseek.gallery.query import WEIGHTS
from sketchseek.server.api.filters import Filters
from sketchseek.server.errors import RequestError, first_message
from sketchseek.server.protection import limits

# The fields that may be repeated, and how often.
REPEATED_FIELDS = {
    "sketch": limits.MAX_FILES,
    "photo": limits.MAX_FILES,
    "text": limits.MAX_TEXTS,
    "minus": limits.MAX_TEXTS,
    "like": limits.MAX_MARKS,
    "unlike": limits.MAX_MARKS,
}
FILE_FIELDS = ("sketch", "photo")
SINGLE_FIELDS = ("strokes", "weights", *Filters.model_fields)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file and the name that the client gave it."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchForm:
    """The terms of a search, their weights, and filters."""

    strokes: str | None
    sketch: list[Upload]
    photo: list[Upload]
    text: list[str]
    minus: list[str]
    like: list[str]
    unlike: list[str]
    weights: Mapping[str, float]
    filters: Filters


async def read_search_form(request: Request) -> SearchForm:
    return await _search_form(await _multipart(request))


async def read_explain_form(request: Request) -> tuple[SearchForm, str]:
    """A search and the ``id`` of the photo to explain."""
    fields = await _multipart(request)
    form = await _search_form(fields, extra="id")
    id = _single(fields, "id")
    if id is None:
        raise RequestError(422, "id: give it as well.")
    return form, id


async def read_fields(request: Request, names: Sequence[str]) -> dict[str, str]:
    """A form of exactly these fields, all text and each given once."""
    fields = await _multipart(request)
    for name in fields:
        if name not in names:
            raise RequestError(422, f"unknown field {name[:40]!r}.")
    found = {name: _single(fields, name) for name in names}
    missing = [name for name, value in found.items() if value is None]
    if missing:
        raise RequestError(422, f"{missing[0]}: give it as well.")
    return {name: value for name, value in found.items() if value is not None}


async def _multipart(request: Request) -> FormData:
    kind, _, rest = request.headers.get("content-type", "").partition(";")
    if kind.strip().lower() != "multipart/form-data" or "charset" in rest.lower():
        raise RequestError(415, "send the search as multipart/form-data in UTF-8.")
    try:
        return await request.form(
            max_files=2 * limits.MAX_FILES, max_fields=limits.MAX_FIELDS, max_part_size=limits.MAX_STROKES_BYTES
        )
    except HTTPException as error:
        raise RequestError(400, f"the form cannot be read: {str(error.detail).rstrip('.')}.") from None


async def _search_form(fields: FormData, *, extra: str | None = None) -> SearchForm:
    """``extra`` is the name of a field that is allowed in addition."""
    for name in fields:
        if name not in (*REPEATED_FIELDS, *SINGLE_FIELDS, extra):
            raise RequestError(422, f"unknown field {name[:40]!r}.")
    single = {name: _single(fields, name) for name in SINGLE_FIELDS}
    form = SearchForm(
        strokes=single["strokes"],
        sketch=await _uploads(fields, "sketch"),
        photo=await _uploads(fields, "photo"),
        text=_texts(fields, "text"),
        minus=_texts(fields, "minus"),
        like=_strings(fields, "like"),
        unlike=_strings(fields, "unlike"),
        weights=_weights(single["weights"]),
        filters=_filters({name: single[name] for name in Filters.model_fields if single[name] is not None}),
    )
    if not (form.strokes or form.sketch or form.photo or form.text or form.like):
        raise RequestError(422, "nothing to look for; give a drawing, words, a photo or a liked hit.")
    return form


def _values(fields: FormData, name: str) -> list[Any]:
    values = fields.getlist(name)
    if len(values) > REPEATED_FIELDS[name]:
        raise RequestError(422, f"{name}: give at most {REPEATED_FIELDS[name]}.")
    return values


def _strings(fields: FormData, name: str) -> list[str]:
    return [_string(name, value) for value in _values(fields, name)]


def _texts(fields: FormData, name: str) -> list[str]:
    texts = _strings(fields, name)
    if any(len(text) > limits.MAX_TEXT_LENGTH for text in texts):
        raise RequestError(422, f"{name}: use at most {limits.MAX_TEXT_LENGTH} characters.")
    return [text for text in texts if text.strip()]


async def _uploads(fields: FormData, name: str) -> list[Upload]:
    uploads = []
    for value in _values(fields, name):
        if not isinstance(value, UploadFile):
            raise RequestError(422, f"{name}: send it as a file.")
        uploads.append(Upload(value.filename or name, await value.read()))
    return uploads


def _string(name: str, value: Any) -> str:
    if isinstance(value, UploadFile):
        raise RequestError(422, f"{name}: send it as text, not as a file.")
    return str(value)


def _single(fields: FormData, name: str) -> str | None:
    """The text of a field; None if it is missing or empty."""
    values = fields.getlist(name)
    if len(values) > 1:
        raise RequestError(422, f"{name}: give it once.")
    return (_string(name, values[0]) or None) if values else None


def _filters(values: dict[str, str | None]) -> Filters:
    try:
        return Filters.model_validate(values)
    except ValidationError as error:
        raise RequestError(422, first_message(error.errors())) from None


def _weights(text: str | None) -> dict[str, float]:
    if text is None:
        return {}
    try:
        weights = json.loads(text)
    except (ValueError, RecursionError):
        weights = None
    if not isinstance(weights, dict) or not weights.keys() <= WEIGHTS.keys():
        raise RequestError(422, f'weights: give a JSON object such as {{"text": 0.5}}, of {", ".join(WEIGHTS)}.')
    for kind, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= limits.MAX_WEIGHT:
            raise RequestError(422, f"weights: {kind} must be a number from 0 to {limits.MAX_WEIGHT:g}.")
    return {kind: float(weight) for kind, weight in weights.items()}
