"""The FastAPI application: the routes, the page and the middleware in front of both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from sketchseek import __version__
from sketchseek.server import errors
from sketchseek.server.metrics import RequestCounter
from sketchseek.server.page_files import PageFiles
from sketchseek.server.protection.bodies import BoundedBodies
from sketchseek.server.protection.guard import Guard
from sketchseek.server.routes import browse, collections, explain, exports, folders, models, photos, search, status
from sketchseek.server.service import Service


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
    for module in (search, explain, photos, browse, collections, exports, folders, models, status):
        app.include_router(module.create_router(service))
    app.mount("/", PageFiles(), name="page")
    app.add_middleware(BoundedBodies, limits=service.limits)
    app.add_middleware(RequestCounter, metrics=service.metrics)
    app.add_middleware(Guard, host=host, token=token)  # added last, so it sees every request first
    return app
