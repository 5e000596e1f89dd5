"""The FastAPI application: the routes, the page and the middleware in front of both."""

import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from sketchseek import __version__
from sketchseek.server import errors
from sketchseek.server.metrics import RequestCounter
from sketchseek.server.protection.bodies import BoundedBodies
from sketchseek.server.protection.guard import Guard
from sketchseek.server.routes import browse, collections, explain, folders, models, photos, search, status
from sketchseek.server.service import Service

PAGE = Path(__file__).parent / "page"

# The tables of some systems say text/plain, and browsers do not run a script of that type.
mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("application/manifest+json", ".webmanifest")


class _Page(StaticFiles):
    """The files of the page, always whole: they are small, and a wrong Range would get a plain-text error."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)


def create_app(service: Service, *, host: str = "127.0.0.1", token: str | None = None) -> FastAPI:
    """The page and the API of one gallery; closes ``service`` at shutdown.

    ``host``: the address the server is bound to; it decides which host names a request may use.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    # No docs pages: those of FastAPI load scripts from other sites.
    app = FastAPI(title="sketchseek", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    errors.install_handlers(app)
    for module in (search, explain, photos, browse, collections, folders, models, status):
        app.include_router(module.create_router(service))
    app.mount("/", _Page(directory=PAGE, html=True), name="page")
    app.add_middleware(BoundedBodies, limits=service.limits)
    app.add_middleware(RequestCounter, metrics=service.metrics)
    app.add_middleware(Guard, host=host, token=token)  # added last, so it sees every request first
    return app
