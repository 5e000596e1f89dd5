"""Error responses: a status code and one sentence as JSON."""

import errno
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from sketchseek.errors import SketchseekError
from sketchseek.gallery.errors import GalleryBusyError, GalleryDamagedError
from sketchseek.wording import shown

log = logging.getLogger(__name__)

MESSAGES = {404: "there is nothing at this address.", 405: "this address does not support the method of the request."}
RETRY = {"Retry-After": "1"}
CLIENT_CLOSED_REQUEST = 499  # seen only in the metrics: the client has disconnected


class RequestError(Exception):
    """A request that gets an error response of status 4xx or 503."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})


def server_busy() -> RequestError:
    return RequestError(503, "the server is at its limit; try again in a moment.", RETRY)


def client_gone() -> RequestError:
    return RequestError(CLIENT_CLOSED_REQUEST, "the client has disconnected.")


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": shown(message)}, status, headers)  # it may name a file that is not text


def first_message(errors: Sequence[Any]) -> str:
    """The first of pydantic's errors in one line."""
    name, message = str(errors[0]["loc"][-1]), str(errors[0]["msg"])
    return f"{name[:40]}: {message[:1].lower()}{message[1:]}."


def install_handlers(app: FastAPI) -> None:
    """Turn every error of the app into a response of one sentence."""

    @app.exception_handler(RequestError)
    async def request_error(_request: Request, error: RequestError) -> JSONResponse:
        return error_response(error.status, error.message, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return error_response(422, first_message(error.errors()))

    @app.exception_handler(HTTPException)
    async def http_error(_request: Request, error: HTTPException) -> JSONResponse:
        return error_response(error.status_code, MESSAGES.get(error.status_code, f"{error.detail}."), error.headers)

    @app.exception_handler(OSError)
    async def system_error(_request: Request, error: OSError) -> JSONResponse:
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN):
            return error_response(503, server_busy().message, RETRY)
        raise error

    @app.exception_handler(SketchseekError)
    async def user_error(_request: Request, error: SketchseekError) -> JSONResponse:
        if isinstance(error, GalleryBusyError):
            return error_response(503, str(error), RETRY)
        return error_response(500 if isinstance(error, GalleryDamagedError) else 422, str(error))
