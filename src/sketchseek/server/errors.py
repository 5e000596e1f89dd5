"""What a client is told when something cannot be done: a status and one sentence."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from sketchseek.errors import SketchseekError
from sketchseek.gallery.errors import GalleryBusyError, GalleryDamagedError

log = logging.getLogger(__name__)

WORDS = {404: "there is nothing here.", 405: "this address does not take such a request."}


GONE = 499  # for the figures alone: nobody is there to read such an answer


class Refused(Exception):
    """An answer of 4xx or 503."""

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, dict(headers or {})


def busy() -> Refused:
    return Refused(503, "the server has as much to do as it takes on; try again in a moment.", {"Retry-After": "1"})


def told(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": sentence}, status, headers)


def first_sentence(found: Sequence[Any]) -> str:
    """What pydantic found first, in one line."""
    name, message = str(found[0]["loc"][-1]), str(found[0]["msg"])
    return f"{name[:40]}: {message[:1].lower()}{message[1:]}."


def install(app: FastAPI) -> None:
    """Make every error of the app a sentence."""

    @app.exception_handler(Refused)
    async def refused(_request: Request, error: Refused) -> JSONResponse:
        return told(error.status, error.sentence, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return told(422, first_sentence(error.errors()))

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> JSONResponse:
        return told(error.status_code, WORDS.get(error.status_code, f"{error.detail}."), error.headers)

    @app.exception_handler(SketchseekError)
    async def mistake(_request: Request, error: SketchseekError) -> JSONResponse:
        if isinstance(error, GalleryBusyError):
            return told(503, str(error), {"Retry-After": "1"})
        return told(500 if isinstance(error, GalleryDamagedError) else 422, str(error))
