"""Routes that say how things are."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from sketchseek import __version__
from sketchseek.server.api.answers import Failure, Folder, Health, Status
from sketchseek.server.api.schema import errors
from sketchseek.server.routes.explain import has_patches
from sketchseek.server.service import Service
from sketchseek.wording import shown

FAILURES = 200


def routes(service: Service) -> APIRouter:
    router = APIRouter()

    @router.get("/api/status", responses=errors(503))
    async def status(request: Request) -> Status:
        """What is in the gallery, and how far indexing is."""
        return await service.pictures.run(request, _status, service)

    @router.get("/healthz")
    async def healthz() -> Health:
        """Answers as long as the server lives."""
        return Health(status="ok")

    text = {"content": {"text/plain": {"schema": {"type": "string"}}}}

    @router.get("/metrics", response_class=Response, responses={200: text, **errors(503)})
    async def metrics(request: Request) -> Response:
        """Figures in Prometheus' text format."""
        figures = await service.pictures.run(request, generate_latest, service.metrics.registry)
        return Response(figures, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router


def _status(service: Service) -> Status:
    stats, places, encoder = service.stats(), service.places(), service.encoder
    failures = service.gallery.failures()[:FAILURES] if stats.failed else []
    return Status(
        version=__version__,
        photos=stats.photos,
        files=stats.files,
        duplicates=stats.duplicates,
        failed=stats.failed,
        model=encoder.name,
        explains=has_patches(encoder.model),
        relevance=encoder.calibration is not None,
        folders=[Folder(folder=name, path=shown(path)) for name, path in places.by_name.items()],
        indexing=service.indexing.now,
        failures=[Failure(file=places.file(path), reason=reason) for path, reason in failures],
    )
