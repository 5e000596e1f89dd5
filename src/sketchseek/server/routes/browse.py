"""Routes to browse photos without a query: by date or by folder, and the tree of folders."""

import base64
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request

from sketchseek.gallery import Hit
from sketchseek.gallery import filters as gallery_filters
from sketchseek.gallery.errors import GalleryDamagedError, GalleryError
from sketchseek.gallery.sections import SECTION_PAGE
from sketchseek.server.api.filters import Within
from sketchseek.server.api.responses import (
    Camera,
    Cameras,
    CountedFolder,
    FolderTree,
    Photo,
    Section,
    Timeline,
    TimelinePage,
)
from sketchseek.server.api.schema import errors
from sketchseek.server.errors import RequestError
from sketchseek.server.folder_names import FolderNames
from sketchseek.server.service import Service

MAX_FOLDERS = 10_000  # listed
MAX_CAMERAS = 200  # listed


def create_router(service: Service) -> APIRouter:
    router = APIRouter(prefix="/api")

    @router.get("/timeline", responses=errors(422, 503))
    async def timeline(
        request: Request, filters: Annotated[Within, Query()], by: Literal["date", "folder"] = "date"
    ) -> Timeline:
        """The photos by month, newest first, or by the folder they are in."""
        return await service.records.run(request, _timeline, service, filters, by)

    @router.get("/timeline/page", responses=errors(404, 422, 503))
    async def page(
        request: Request,
        first: Annotated[str, Query(pattern="^[0-9a-f]{16}$")],
        filters: Annotated[Within, Query()],
        k: Annotated[int, Query(ge=1, le=SECTION_PAGE)] = SECTION_PAGE,
        folder: Annotated[str | None, Query(max_length=4096)] = None,
    ) -> TimelinePage:
        """``k`` photos of a section from the one with the id ``first``, which /api/timeline gives for every page.

        ``folder``: that of the section; without it, the section is the month of ``first``.
        """
        return await service.records.run(request, _page, service, first, k, filters, folder)

    @router.get("/folders", responses=errors(422, 503))
    async def folders(request: Request) -> FolderTree:
        """All folders of the gallery, and how many photos are in each."""
        return await service.records.run(request, _folders, service)

    @router.get("/cameras", responses=errors(503))
    async def cameras(request: Request) -> Cameras:
        """The cameras that took photos of the gallery, the busiest first."""
        return await service.records.run(request, _cameras, service)

    return router


def _cameras(service: Service) -> Cameras:
    def read() -> Cameras:
        found = list(service.gallery.cameras().items())
        listed = [Camera(camera=name, photos=count) for name, count in found[:MAX_CAMERAS]]
        return Cameras(cameras=listed, more=len(found) > MAX_CAMERAS)

    return service.kept(("cameras",), read)


def _timeline(service: Service, filters: Within, by: str) -> Timeline:
    names = service.folder_names()
    wanted = gallery_filters.Filters(**filters.options(names))

    def read() -> Timeline:
        found = service.gallery.folder_sections(wanted) if by == "folder" else service.gallery.sections(wanted)
        sections = [
            Section(month=one.month, folder=folder, count=one.count, pages=list(one.pages))
            for one in found
            if (folder := _name(names, one.folder)) is not None or one.folder is None
        ]
        return Timeline(photos=sum(one.count for one in sections), sections=sections)

    return service.kept((f"timeline by {by}", *(value and str(value) for value in filters.model_dump().values())), read)


def _name(names: FolderNames, folder: Path | None) -> str | None:
    """The name of a folder; None if it is no longer part of the gallery."""
    if folder is None:
        return None
    name, _ = names.split(folder / "x")
    return name if names.find(name) == folder else None


def _page(service: Service, first: str, k: int, filters: Within, folder: str | None) -> TimelinePage:
    names = service.folder_names()
    wanted = gallery_filters.Filters(**filters.options(names))
    try:
        if folder is None:
            hits = service.gallery.section_page(first, k, wanted)
        elif (inside := names.find(folder)) is None:
            raise RequestError(422, "folder: the gallery has no such folder; use one from /api/timeline.")
        else:
            hits = service.gallery.folder_page(inside, first, k, wanted)
    except GalleryDamagedError:
        raise
    except GalleryError as error:
        raise RequestError(404, str(error)) from None
    return TimelinePage(photos=[Photo(**facts(hit, names)) for hit in hits])


def _folders(service: Service) -> FolderTree:
    return service.kept(("folders",), lambda: _tree(service.gallery.folder_counts(), service.folder_names()))


def _tree(counts: dict[Path, int], names: FolderNames) -> FolderTree:
    files = dict.fromkeys(names.by_name, 0)
    for path, count in counts.items():
        folder = _name(names, path)
        if folder is None:
            continue
        parts = folder.split("/")
        for depth in range(1, len(parts)):
            above = "/".join(parts[:depth])
            if names.find(above) is not None:
                files.setdefault(above, 0)
        files[folder] = files.get(folder, 0) + count
    ordered = sorted(files.items())
    return FolderTree(
        folders=[CountedFolder(folder=folder, files=count) for folder, count in ordered[:MAX_FOLDERS]],
        more=len(ordered) > MAX_FOLDERS,
    )


def facts(hit: Hit, names: FolderNames) -> dict[str, Any]:
    """The fields of a ``Photo``."""
    folder, name = names.split(hit.path)
    return {
        "id": hit.id,
        "name": name,
        "folder": folder,
        "width": hit.width,
        "height": hit.height,
        "taken": hit.taken.isoformat() if hit.taken else None,
        "duplicates": len(hit.duplicates),
        "colours": None if hit.colours is None else base64.b64encode(hit.colours).decode(),
    }
