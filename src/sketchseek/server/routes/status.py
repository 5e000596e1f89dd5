"""Routes that report the state of the server: status, health, metrics."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from sketchseek import __version__
from sketchseek.model import has_patches
from sketchseek.pictures.formats import FORMATS
from sketchseek.server.api.responses import Failure, Folder, Health, Status
from sketchseek.server.api.schema import errors
from sketchseek.server.service import Service
from sketchseek.wording import shown

MAX_FAILURES = 200  # listed
ACCEPTED = [suffix for format in FORMATS if format.supported for suffix in format.suffixes]


def create_router(service: Service) -> APIRouter:
    router = APIRouter()

    @router.get("/api/status", responses=errors(503))
    async def status(request: Request) -> Status:
        """What is in the gallery, and how far indexing is."""
        return await service.reports.run(request, _status, service)

    @router.get("/healthz")
    async def healthz() -> Health:
        """Responds as long as the server runs."""
        return Health(status="ok")

    plain_text = {"content": {"text/plain": {"schema": {"type": "string"}}}}

    @router.get("/metrics", response_class=Response, responses={200: plain_text, **errors(503)})
    async def metrics(request: Request) -> Response:
        """Metrics in the text format of Prometheus."""
        data = await service.reports.run(request, generate_latest, service.metrics.registry)
        return Response(data, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router


def _status(service: Service) -> Status:
    stats, names, encoder = service.stats(), service.folder_names(), service.encoder
    failures = service.gallery.failures()[:MAX_FAILURES] if stats.failed else []
    return Status(
        version=__version__,
        photos=stats.photos,
        files=stats.files,
        duplicates=stats.duplicates,
        failed=stats.failed,
        model=encoder.name,
        explains=has_patches(encoder.model),
        adds_folders=bool(service.places),
        watching=service.watching.on,
        reveals=service.reveal is not None,
        accepts=ACCEPTED,
        folders=[Folder(folder=name, path=shown(path)) for name, path in names.by_name.items()],
        indexing=service.indexing.status,
        failures=[Failure(file=names.file(path), reason=reason) for path, reason in failures],
    )
