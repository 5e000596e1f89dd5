"""Uploads that tests send."""

import io
import json
from typing import Any

import httpx2
from PIL import Image, ImageDraw

CORNER = json.dumps({"drawing": [[[0, 90, 90], [0, 0, 90]]], "sheet": [100, 100]})
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M1 1 8 8" stroke="black"/></svg>'


def picture(kind: str = "PNG", size: tuple[int, int] = (60, 40), colour: str = "red") -> bytes:
    """A drawing in black on a coloured sheet."""
    image = Image.new("RGB", size, colour)
    ImageDraw.Draw(image).line((5, 5, size[0] - 5, size[1] - 5), fill="black", width=3)
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def form(*files: tuple[str, str, bytes], **fields: Any) -> list[tuple[str, tuple[str | None, bytes]]]:
    """For ``files=`` of a client: fields by name (a list for several of a name), files as (field, name, content)."""
    parts: list[tuple[str, tuple[str | None, bytes]]] = [(field, (name, data)) for field, name, data in files]
    for name, values in fields.items():
        for value in values if isinstance(values, list) else [values]:
            parts.append((name, (None, str(value).encode())))
    return parts


def post(client: httpx2.Client, *files: tuple[str, str, bytes], to: str = "/api/search", **fields: Any) -> Any:
    """The answer to a search with these fields."""
    return client.post(to, files=form(*files, **fields))


def refusal(answer: Any, status: int) -> str:
    """The sentence of an answer that must be a refusal of this status."""
    assert answer.status_code == status, answer.text
    (sentence,) = answer.json().values()
    assert list(answer.json()) == ["error"]
    assert sentence.isprintable()
    return str(sentence)
