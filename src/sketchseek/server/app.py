"""The FastAPI application: the routes, the page, and what stands in front of both."""

import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from sketchseek import __version__
from sketchseek.server import errors
from sketchseek.server.metrics import Counted
from sketchseek.server.protection.bodies import BoundedBodies
from sketchseek.server.protection.guard import Guard
from sketchseek.server.routes import explain as explaining
from sketchseek.server.routes import photos, status
from sketchseek.server.routes import search as searching
from sketchseek.server.service import Service

PAGE = Path(__file__).parent / "page"

# Some systems' own tables say text/plain, and a script of that type does not run.
mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("application/manifest+json", ".webmanifest")


def create_app(service: Service, *, host: str = "127.0.0.1", token: str | None = None) -> FastAPI:
    """The page and the API of one gallery; closes ``service`` when it ends.

    ``host``: the address the server is bound to, which decides by what names it may be called.
    """

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    # The pages that FastAPI shows the schema with load scripts from elsewhere.
    app = FastAPI(title="sketchseek", version=__version__, docs_url=None, redoc_url=None, lifespan=life)
    errors.install(app)
    app.include_router(searching.routes(service))
    app.include_router(explaining.routes(service))
    app.include_router(photos.routes(service))
    app.include_router(status.routes(service))
    app.mount("/", StaticFiles(directory=PAGE, html=True), name="page")
    app.add_middleware(BoundedBodies, limits=service.limits)
    app.add_middleware(Counted, metrics=service.metrics)
    app.add_middleware(Guard, host=host, token=token)  # the last one added is the first to see a request
    return app
