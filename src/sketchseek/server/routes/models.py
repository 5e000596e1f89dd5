"""Routes to see which models there are, and to change to another one while searches go on."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from sketchseek.engine.known import known_models
from sketchseek.server.api.responses import IndexingStatus, KnownModel, Models
from sketchseek.server.api.schema import errors
from sketchseek.server.errors import RequestError
from sketchseek.server.service import Service

ModelName = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]


def create_router(service: Service) -> APIRouter:
    router = APIRouter(prefix="/api")

    @router.get("/models", responses=errors(503))
    async def models(request: Request) -> Models:
        """The models on the server's machine, and the published ones that it can download by name."""
        return await service.records.run(request, _models, service)

    @router.post("/models/{name}/use", status_code=202, responses=errors(404, 409, 422, 503))
    async def use(request: Request, name: ModelName) -> IndexingStatus:
        """Download the model if it is not here, index all photos with it, then search with it.

        Until then searches use the old one. /api/status shows how far it is; a run that ends early goes on when this is
        requested again.
        """
        return await service.records.run(request, _use, service, name)

    @router.post("/indexing/stop", responses=errors(503))
    async def stop(request: Request) -> IndexingStatus:
        """End the run of indexing; what it has done stays."""
        return await service.records.run(request, _stop, service)

    return router


def _models(service: Service) -> Models:
    vectors = {one.name: one.vectors for one in service.stats().models}
    return Models(
        models=[
            KnownModel(
                name=model.name,
                about=model.about,
                licence=model.licence,
                languages=model.languages,
                speed=model.speed,
                bytes=model.bytes,
                here=model.here,
                vectors=vectors.get(model.name, 0),
                current=model.name == service.encoder.name,
            )
            for model in known_models()
        ]
    )


def _use(service: Service, name: str) -> IndexingStatus:
    # Only names of the list: a path or a repository would let a client read or download anything.
    if name not in {model.name for model in known_models()}:
        raise RequestError(404, f"there is no model {name!r}; /api/models lists those that can be used.")
    if not service.stats().folders:
        raise RequestError(409, "this gallery has no folders yet; index one first.")
    if not service.change_model(name):
        raise RequestError(409, "photos are being indexed now; wait until that is done, or stop it.")
    return service.indexing.status


def _stop(service: Service) -> IndexingStatus:
    service.indexing.stop()
    return service.indexing.status
