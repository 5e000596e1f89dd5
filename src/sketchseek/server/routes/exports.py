"""Routes that export a collection: as a zip file, as a list of paths, or as files in another folder."""

import io
import json
import os
import zipfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from sketchseek.gallery import Hit
from sketchseek.gallery.collections import check_outside, file_name, put
from sketchseek.pictures import PictureError
from sketchseek.server.api.responses import Copied
from sketchseek.server.api.schema import download, errors
from sketchseek.server.errors import RequestError
from sketchseek.server.protection import limits
from sketchseek.server.routes.collections import Name
from sketchseek.server.routes.folders import FolderName, offered
from sketchseek.server.routes.photos import BLOCK_BYTES, InBlocks, saved_as
from sketchseek.server.service import Service

NOT_INCLUDED = "not included.txt"
FIRST_YEAR, LAST_YEAR = 1980, 2107  # of the times that a zip file can hold


def create_router(service: Service) -> APIRouter:
    router = APIRouter(prefix="/api/collections")

    @router.get("/zip", response_class=Response, responses=download("application/zip") | errors(422, 503))
    async def as_zip(request: Request, name: Name) -> Response:
        """The files of all photos of a collection. Those that cannot be read are named in a text file of the zip."""
        hits = await service.records.run(request, _photos, service, name)
        blocks = _zip(service, request, hits)
        await anext(blocks)  # its turn, or an error while there can be one
        return InBlocks(blocks, "application/zip", saved_as(f"{file_name(name)}.zip"))

    @router.get(
        "/paths", response_class=Response, responses=download("text/plain", "application/json") | errors(422, 503)
    )
    async def paths(request: Request, name: Name, form: Literal["lines", "null", "json"] = "lines") -> Response:
        """The paths of all photos of a collection: one on each line, each followed by a null byte, or as JSON."""
        hits = await service.records.run(request, _photos, service, name)
        if form == "json":
            text = json.dumps([{"path": str(hit.path), "id": hit.id} for hit in hits], indent=2)
            return Response(text, media_type="application/json", headers=saved_as(f"{file_name(name)}.json"))
        end = b"\n" if form == "lines" else b"\0"
        data = b"".join(os.fsencode(hit.path) + end for hit in hits)
        return Response(data, media_type="text/plain", headers=saved_as(f"{file_name(name)}.txt"))

    @router.post("/copy", responses=errors(403, 404, 409, 422, 503))
    async def copy(
        request: Request,
        name: Name,
        folder: FolderName,
        how: Literal["copy", "link"] = "copy",
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    ) -> Copied:
        """Copy some photos of a collection, from ``offset`` on, into a folder that is named after it, or link to them.

        ``folder`` is one that /api/places lists. Repeat with a larger offset while there are ``more``. No file is
        overwritten, and what is there already is not copied again.
        """
        async with service.exports.turn(request):
            return await service.exports.call(_copy, service, name, folder, how, offset)

    return router


def _photos(service: Service, name: str) -> list[Hit]:
    return service.gallery.collections.photos(name)


def _copy(service: Service, name: str, parent: str, how: Literal["copy", "link"], offset: int) -> Copied:
    folder = offered(service, parent) / file_name(name)
    if os.path.lexists(folder) and not service.places.offers(folder):
        raise RequestError(
            409, f"{parent}/{folder.name} is no folder that photos can be put into; choose another place."
        )
    check_outside(folder, service.gallery.path, service.stats().folders)
    hits = service.gallery.collections.photos(name, offset, limits.COPIED_AT_ONCE + 1)
    some = hits[: limits.COPIED_AT_ONCE]
    failed = []
    for hit in some:
        try:
            path, data = _read(service, hit) if how == "copy" else (_find(service, hit), None)
        except (RequestError, PictureError) as error:
            failed.append(str(error))
            continue
        try:
            put(path, folder, data)
        finally:
            service.sending.give_back(len(data or b""))
    return Copied(
        folder=f"{parent}/{folder.name}", photos=len(some) - len(failed), failed=failed, more=len(hits) > len(some)
    )


class _Written(io.RawIOBase):
    """What a zip file writes, to be taken piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        self._pieces.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


async def _zip(service: Service, request: Request, hits: list[Hit]) -> AsyncGenerator[bytes]:
    """A zip file in blocks, with one photo at a time in memory."""
    written, names, missing = _Written(), set[str](), list[str]()
    async with service.exports.turn(request):
        yield b""
        with zipfile.ZipFile(written, "w") as archive:  # photos are compressed already
            for hit in hits:
                try:
                    path, data = await service.exports.call(_read, service, hit)
                except (RequestError, PictureError) as error:
                    missing.append(str(error))
                    continue
                try:
                    archive.writestr(_entry(_free_name(path.name, names), hit), data)
                    archived = written.take()
                    for start in range(0, len(archived), BLOCK_BYTES):
                        yield archived[start : start + BLOCK_BYTES]
                finally:
                    service.sending.give_back(len(data))
            if missing:
                archive.writestr(_free_name(NOT_INCLUDED, names), "".join(f"{line}\n" for line in missing))
        yield written.take()


def _find(service: Service, hit: Hit) -> Path:
    """The first file of a photo that still is this photo."""
    with service.photo_decoders.open(hit.id, (hit.path, *hit.duplicates)) as photo:
        return photo.path


def _read(service: Service, hit: Hit) -> tuple[Path, bytes]:
    """The same, and what is in it, which counts among what is being sent until it is given back."""
    with service.photo_decoders.open(hit.id, (hit.path, *hit.duplicates)) as photo:
        if not service.sending.take(photo.size):
            raise RequestError(503, f"{hit.path.name}: the server was at its limit.")
        try:
            return photo.path, photo.data()
        except BaseException:
            service.sending.give_back(photo.size)
            raise


def _entry(name: str, hit: Hit) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    if hit.taken and FIRST_YEAR <= hit.taken.year <= LAST_YEAR:
        entry.date_time = hit.taken.timetuple()[:6]
    return entry


def _free_name(name: str, taken: set[str]) -> str:
    """The name, with a number if it is taken; upper and lower case count as one, as on many systems."""
    name = os.fsencode(name).decode(errors="replace")
    stem, dot, suffix = name.rpartition(".")
    number, free = 1, name
    while free.casefold() in taken:
        number += 1
        free = f"{stem}-{number}{dot}{suffix}" if stem else f"{name}-{number}"
    taken.add(free.casefold())
    return free
