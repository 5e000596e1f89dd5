"""Routes of the collections of photos and the saved searches that a gallery keeps."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from sketchseek.gallery.collections import MAX_NAME
from sketchseek.server.api.forms import read_fields
from sketchseek.server.api.responses import (
    Collected,
    CollectionPhotos,
    Collections,
    NamedCollection,
    Photo,
    SavedSearch,
)
from sketchseek.server.api.schema import COLLECT_FORM, SAVE_FORM, errors
from sketchseek.server.errors import RequestError
from sketchseek.server.protection import limits
from sketchseek.server.routes.browse import facts
from sketchseek.server.service import Service

Name = Annotated[str, Query(min_length=1, max_length=MAX_NAME)]
BODY = (400, 408, 413, 415, 422, 503)


def create_router(service: Service) -> APIRouter:
    router = APIRouter(prefix="/api")

    @router.get("/collections", responses=errors(422, 503))
    async def collections(request: Request) -> Collections:
        """The collections and the saved searches of the gallery, by name."""
        return await service.records.run(request, _collections, service)

    @router.get("/collections/photos", responses=errors(422, 503))
    async def photos(
        request: Request,
        name: Name,
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
        k: Annotated[int, Query(ge=1, le=limits.MAX_HITS)] = limits.DEFAULT_HITS,
    ) -> CollectionPhotos:
        """Photos of a collection, in the order in which they were added."""
        return await service.records.run(request, _photos, service, name, offset, k)

    @router.post("/collections/add", openapi_extra=COLLECT_FORM, responses=errors(*BODY))
    async def add(request: Request) -> Collected:
        """Add photos to a collection, which is made if it does not exist."""
        fields = await read_fields(request, ("name", "ids"))
        return await service.records.run(request, _change, service, "add", fields)

    @router.post("/collections/remove", openapi_extra=COLLECT_FORM, responses=errors(*BODY))
    async def remove(request: Request) -> Collected:
        """Remove photos from a collection; they stay in the gallery."""
        fields = await read_fields(request, ("name", "ids"))
        return await service.records.run(request, _change, service, "remove", fields)

    @router.post("/collections/delete", status_code=204, responses=errors(422, 503))
    async def delete(request: Request, name: Name) -> None:
        """Delete a collection; its photos stay in the gallery."""
        await service.records.run(request, lambda: service.gallery.collections.delete(name))

    @router.post("/searches/save", status_code=204, openapi_extra=SAVE_FORM, responses=errors(*BODY))
    async def save(request: Request) -> None:
        """Save a search under a name, as a JSON object that only the page understands."""
        fields = await read_fields(request, ("name", "query"))
        await service.records.run(request, _save, service, fields)

    @router.post("/searches/delete", status_code=204, responses=errors(422, 503))
    async def delete_search(request: Request, name: Name) -> None:
        """Delete a saved search."""
        await service.records.run(request, lambda: service.gallery.collections.delete_search(name))

    return router


def _collections(service: Service) -> Collections:
    kept = service.gallery.collections
    return Collections(
        collections=[NamedCollection(name=one.name, photos=one.photos, missing=one.missing) for one in kept.all()],
        searches=[SavedSearch(name=one.name, query=one.query) for one in kept.searches()],
    )


def _photos(service: Service, name: str, offset: int, k: int) -> CollectionPhotos:
    names = service.folder_names()
    hits = service.gallery.collections.photos(name, offset, k + 1)
    return CollectionPhotos(photos=[Photo(**facts(hit, names)) for hit in hits[:k]], more=len(hits) > k)


def _change(service: Service, how: str, fields: dict[str, str]) -> Collected:
    ids = fields["ids"].split()
    if len(ids) > limits.MAX_COLLECTED:
        raise RequestError(422, f"ids: give at most {limits.MAX_COLLECTED:,}.")
    kept = service.gallery.collections
    return Collected(photos=kept.add(fields["name"], ids) if how == "add" else kept.remove(fields["name"], ids))


def _save(service: Service, fields: dict[str, str]) -> None:
    try:
        query: Any = json.loads(fields["query"])
    except (ValueError, RecursionError):
        query = None
    if not isinstance(query, dict):
        raise RequestError(422, "query: give a JSON object.")
    service.gallery.collections.save_search(fields["name"], query)
