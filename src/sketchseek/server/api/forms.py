"""A search as it arrives: a multipart form -> checked values, or one sentence that says which field is wrong."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from sketchseek.gallery.query import WEIGHTS
from sketchseek.server.api.filters import Filters
from sketchseek.server.errors import Refused, first_sentence
from sketchseek.server.protection import limits

MANY = {
    "sketch": limits.FILES,
    "photo": limits.FILES,
    "text": limits.TEXTS,
    "minus": limits.TEXTS,
    "like": limits.MARKS,
    "unlike": limits.MARKS,
}
FILES = ("sketch", "photo")
ONCE = ("strokes", "weights", *Filters.model_fields)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as the client named it."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A whole search."""

    strokes: str | None
    sketch: list[Upload]
    photo: list[Upload]
    text: list[str]
    minus: list[str]
    like: list[str]
    unlike: list[str]
    weights: Mapping[str, float]
    filters: Filters


async def read(request: Request, *, extra: str | None = None) -> tuple[Asked, str]:
    """The form of a request; ``extra`` is one more field that must be there, returned beside it."""
    form = await _form(request)
    known = {*MANY, *ONCE, extra}
    for name in form:
        if name not in known:
            raise Refused(422, f"there is no field {name[:40]!r}.")
    once = {name: _once(form, name) for name in ONCE}
    asked = Asked(
        strokes=once["strokes"],
        sketch=await _files(form, "sketch"),
        photo=await _files(form, "photo"),
        text=_words(form, "text"),
        minus=_words(form, "minus"),
        like=[_plain("like", value) for value in _several(form, "like")],
        unlike=[_plain("unlike", value) for value in _several(form, "unlike")],
        weights=_weights(once["weights"]),
        filters=_filters({name: once[name] for name in Filters.model_fields if once[name] is not None}),
    )
    if not (asked.strokes or asked.sketch or asked.photo or asked.text or asked.like):
        raise Refused(422, "the query says nothing to look for; give a drawing, words, a photo or a liked hit.")
    more = _once(form, extra) if extra else ""
    if more is None:
        raise Refused(422, f"{extra}: give it as well.")
    return asked, more


async def _form(request: Request) -> FormData:
    kind, _, rest = request.headers.get("content-type", "").partition(";")
    if kind.strip().lower() != "multipart/form-data" or "charset" in rest.lower():
        raise Refused(415, "send the search as multipart/form-data in UTF-8.")
    try:
        return await request.form(
            max_files=2 * limits.FILES, max_fields=limits.FIELDS, max_part_size=limits.STROKES_BYTES
        )
    except HTTPException as error:
        raise Refused(400, f"the form cannot be read: {str(error.detail).rstrip('.')}.") from None


def _several(form: FormData, name: str) -> list[Any]:
    values = form.getlist(name)
    if len(values) > MANY[name]:
        raise Refused(422, f"{name}: at most {MANY[name]} are taken at once.")
    return values


def _words(form: FormData, name: str) -> list[str]:
    texts = [_plain(name, value) for value in _several(form, name)]
    for text in texts:
        if len(text) > limits.TEXT_LETTERS:
            raise Refused(422, f"{name}: at most {limits.TEXT_LETTERS} letters are taken.")
    return [text for text in texts if text.strip()]


async def _files(form: FormData, name: str) -> list[Upload]:
    files = []
    for value in _several(form, name):
        if not isinstance(value, UploadFile):
            raise Refused(422, f"{name}: send it as a file.")
        files.append(Upload(value.filename or name, await value.read()))
    return files


def _plain(name: str, value: Any) -> str:
    if isinstance(value, UploadFile):
        raise Refused(422, f"{name}: send it as text, not as a file.")
    return str(value)


def _once(form: FormData, name: str) -> str | None:
    """A field's text; None where it is not there or empty."""
    values = form.getlist(name)
    if len(values) > 1:
        raise Refused(422, f"{name}: give it once.")
    return (_plain(name, values[0]) or None) if values else None


def _filters(given: dict[str, str | None]) -> Filters:
    try:
        return Filters.model_validate(given)
    except ValidationError as error:
        raise Refused(422, first_sentence(error.errors())) from None


def _weights(text: str | None) -> dict[str, float]:
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not found.keys() <= WEIGHTS.keys():
        raise Refused(422, f'weights: give a JSON object such as {{"text": 0.5}}, of {", ".join(WEIGHTS)}.')
    for kind, weight in found.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= limits.MOST_WEIGHT:
            raise Refused(422, f"weights: the one of {kind} is not a number from 0 to {limits.MOST_WEIGHT:g}.")
    return {kind: float(weight) for kind, weight in found.items()}
