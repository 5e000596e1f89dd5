"""Routes to choose, index, follow and forget folders: what ``sketchseek index`` and ``gallery forget`` can do."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request

from sketchseek.installation import extra_command
from sketchseek.server.api.responses import Forgotten, IndexingStatus, PlacesListing, Watched
from sketchseek.server.api.schema import errors
from sketchseek.server.errors import RETRY, RequestError
from sketchseek.server.service import Service

FolderName = Annotated[str, Query(min_length=1, max_length=4096)]
Name = TypeVar("Name", str, str | None)
Found = TypeVar("Found")
BUSY = "photos are being indexed now; wait until that is done, or stop it."


def create_router(service: Service) -> APIRouter:
    router = APIRouter(prefix="/api")

    async def look(request: Request, function: Callable[[Service, Name], Found], name: Name) -> Found:
        """Call what reads folders, whose drives may never answer."""
        late = RequestError(503, "this folder does not answer; check its drive, and try again.", RETRY)
        return await service.folders.run_within(service.limits.folder_seconds, late, request, function, service, name)

    @router.get("/places", responses=errors(403, 404, 422, 503))
    async def places(
        request: Request, folder: Annotated[str | None, Query(min_length=1, max_length=4096)] = None
    ) -> PlacesListing:
        """The folders in a folder of the server's machine that can be added; without ``folder``, where to begin."""
        return await look(request, _places, folder)

    @router.post("/folders/add", status_code=202, responses=errors(403, 404, 409, 422, 503))
    async def add(request: Request, folder: FolderName) -> IndexingStatus:
        """Index a folder that /api/places lists; /api/status shows how far it is."""
        found = await look(request, offered, folder)
        return await service.records.run(request, _add, service, found)

    @router.post("/folders/scan", status_code=202, responses=errors(409, 422, 503))
    async def scan(request: Request, retry: bool = False) -> IndexingStatus:
        """Look for changes in all folders of the gallery; ``retry``: open files again that failed before."""
        return await service.records.run(request, _scan, service, retry)

    @router.post("/folders/forget", responses=errors(404, 409, 422, 503))
    async def forget(request: Request, folder: FolderName) -> Forgotten:
        """Remove a folder of /api/status and its photos from the gallery. The files themselves stay."""
        return await service.records.run(request, _forget, service, folder)

    @router.post("/folders/watch", responses=errors(422, 503))
    async def watch(request: Request, on: bool) -> Watched:
        """Follow changes in all folders, or no longer; as long as the server runs."""
        return await service.records.run(request, _watch, service, on)

    @router.post("/indexing/resume", status_code=202, responses=errors(409, 503))
    async def resume(request: Request) -> IndexingStatus:
        """Go on with the run that was stopped."""
        return await service.records.run(request, _resume, service)

    return router


def _places(service: Service, name: str | None) -> PlacesListing:
    _checkoffered(service)
    listing = service.places.listing(name)
    if listing is None:
        raise RequestError(404, "this folder does not exist, cannot be listed, or lies outside of what can be added.")
    return PlacesListing(
        folder=listing.folder,
        parent=listing.parent,
        folders=listing.folders,
        photos=listing.photos,
        more=listing.more,
        suggestions=service.places.suggestions() if name is None else [],
    )


def offered(service: Service, name: str) -> Path:
    """A folder of /api/places by its name."""
    _checkoffered(service)
    folder = service.places.find(name)
    if folder is None:
        raise RequestError(404, "there is no such folder; /api/places lists those that can be added.")
    return folder


def _add(service: Service, folder: Path) -> IndexingStatus:
    if not service.index([folder]):
        raise RequestError(409, BUSY)
    return service.indexing.status


def _checkoffered(service: Service) -> None:
    if not service.places:
        raise RequestError(403, "this server adds no folders; name them on its command line.")


def _scan(service: Service, retry: bool) -> IndexingStatus:
    if not service.stats().folders:
        raise RequestError(409, "this gallery has no folders yet; add one first.")
    if not service.index([], retry=retry):
        raise RequestError(409, BUSY)
    return service.indexing.status


def _forget(service: Service, name: str) -> Forgotten:
    folder = service.folder_names().by_name.get(name)
    if folder is None:
        raise RequestError(404, "the gallery has no such folder; /api/status lists its folders.")
    removed = service.forget(folder)
    if removed is None:
        raise RequestError(409, BUSY)
    return Forgotten(files=removed)


def _watch(service: Service, on: bool) -> Watched:
    if on and find_spec("watchfiles") is None:
        raise RequestError(422, f"watching folders requires watchfiles; run: {extra_command('watch')}")
    if on:
        service.watching.start()
    else:
        service.watching.stop()
    return Watched(watching=service.watching.on)


def _resume(service: Service) -> IndexingStatus:
    if not service.resume():
        raise RequestError(409, "no run was stopped; look for changes instead.")
    return service.indexing.status
