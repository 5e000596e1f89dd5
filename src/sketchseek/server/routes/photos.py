"""Routes of one photo, which is named by its id, a hash of its content; no request contains a path."""

from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, aclosing
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as InPath
from numpy.typing import NDArray
from pydantic import BeforeValidator
from starlette.types import Receive, Scope, Send

from sketchseek.gallery import Hit
from sketchseek.gallery.errors import GalleryDamagedError, GalleryError
from sketchseek.pictures.formats import FORMATS
from sketchseek.server.api.responses import PhotoDetails, PhotoFacts
from sketchseek.server.api.schema import errors, picture
from sketchseek.server.errors import RequestError, server_busy
from sketchseek.server.processes.decoders import StoredPhoto
from sketchseek.server.service import Service
from sketchseek.server.thumbnails import FULL_SIDE
from sketchseek.wording import shown

PhotoId = Annotated[str, InPath(pattern="^[0-9a-f]{16}$")]
FileName = Annotated[str | None, Query(max_length=4096, examples=["Pictures/2024/beach.jpg"])]
CACHE_CONTROL = "private, max-age=31536000, immutable"  # the id is a hash of the content, which therefore never changes
BROWSER_TYPES = tuple(format.mime_type for format in FORMATS if format.mime_type)
Size = Annotated[Literal[160, 320, 640, 1280], BeforeValidator(int), Query()]  # query parameters arrive as text
BLOCK_BYTES = 1 << 20  # a client that takes less in the time of http_server.WRITE_TIMEOUT_S is dropped


def create_router(service: Service) -> APIRouter:
    router = APIRouter(prefix="/api/photos")

    @router.get(
        "/{id}",
        response_class=Response,
        responses=picture(*BROWSER_TYPES, "application/octet-stream") | errors(404, 410, 422, 503),
    )
    async def original(request: Request, id: PhotoId, download: bool = False, file: FileName = None) -> Response:
        """The file itself if browsers can show its format, otherwise a JPEG of it; upright.

        ``download``: the file itself, whatever its format, to be saved under its name. ``file``: which of the photo's
        files, as ``folder/name`` of a hit; another one if that is missing.
        """
        if download:
            return await service.pictures.run(request, _download, service, id, file)
        if _is_cached(request, id):
            return Response(status_code=304, headers=_headers(id))
        return await service.pictures.run(request, _original, service, id)

    @router.get(
        "/{id}/thumbnail", response_class=Response, responses=picture("image/jpeg") | errors(404, 410, 422, 503)
    )
    async def thumbnail(request: Request, id: PhotoId, size: Size = 320) -> Response:
        """A JPEG, upright, longer side at most ``size`` px."""
        name = f"{id}-{size}"
        if _is_cached(request, name):
            return Response(status_code=304, headers=_headers(name))
        data = await service.pictures.run(request, _thumbnail, service, id, size)
        return Response(data, media_type="image/jpeg", headers=_headers(name))

    @router.get("/{id}/about", responses=errors(404, 422, 503))
    async def about(request: Request, id: PhotoId, file: FileName = None) -> PhotoDetails:
        """Where the photo is stored. ``file``: which of its files, as ``folder/name`` of a hit."""
        return await service.reports.run(request, _about, service, id, file)

    @router.get("/{id}/facts", responses=errors(404, 410, 422, 503))
    async def facts(request: Request, id: PhotoId) -> PhotoFacts:
        """What the camera wrote into the photo's file."""
        return await service.pictures.run(request, _facts, service, id)

    @router.post("/{id}/reveal", status_code=204, responses=errors(403, 404, 410, 422, 503))
    async def reveal(request: Request, id: PhotoId, file: FileName = None) -> None:
        """Show the photo in the file manager of the server's machine; only where no token is needed.

        ``file``: which of its files, as ``folder/name`` of a hit; another one if that is missing.
        """
        await service.pictures.run(request, _reveal, service, id, file)

    return router


def photo_of(service: Service, id: str) -> Hit:
    """The photo with this id; 404 if the gallery has none."""
    try:
        return service.gallery.photo(id)
    except GalleryDamagedError:
        raise
    except GalleryError:
        raise RequestError(404, f"the gallery has no photo {id[:40]!r}.") from None


def _files(service: Service, photo: Hit, file: str | None) -> list[Path]:
    """The files of a photo, first the one that the page shows as ``file``."""
    files, names = [photo.path, *photo.duplicates], service.folder_names()
    return files if file is None else sorted(files, key=lambda path: names.file(path) != file)


def _about(service: Service, id: str, file: str | None) -> PhotoDetails:
    photo, names = photo_of(service, id), service.folder_names()
    path, *others = _files(service, photo, file)
    folder, name = names.split(path)
    return PhotoDetails(
        id=id,
        name=name,
        folder=folder,
        path=shown(path),
        width=photo.width,
        height=photo.height,
        taken=photo.taken.isoformat() if photo.taken else None,
        duplicates=[names.file(other) for other in others],
    )


def _original(service: Service, id: str) -> Response:
    with _open(service, id) as photo:
        if photo.media_type is None:
            return Response(_jpeg(service, id, FULL_SIDE, photo), media_type="image/jpeg", headers=_headers(id))
        return _file(service, photo, photo.media_type, _headers(id))


def _download(service: Service, id: str, file: str | None) -> Response:
    with _open(service, id, file) as photo:
        return _file(service, photo, photo.media_type or "application/octet-stream", saved_as(photo.path.name))


def saved_as(name: str) -> dict[str, str]:
    """The headers of a response that a browser saves as a file of this name."""
    disposition = f"attachment; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'))}"
    return {"Content-Disposition": disposition, "Cache-Control": "no-store"}


def _facts(service: Service, id: str) -> PhotoFacts:
    with _open(service, id) as photo:
        return PhotoFacts(bytes=photo.size, **photo.facts())


def _reveal(service: Service, id: str, file: str | None) -> None:
    if service.reveal is None:
        raise RequestError(403, "this server shows no files in a file manager.")
    with _open(service, id, file) as photo:
        service.reveal(photo.path)


def _file(service: Service, photo: StoredPhoto, media_type: str, headers: dict[str, str]) -> Response:
    if not service.sending.take(photo.size):
        raise server_busy()
    try:
        data = photo.data()
    except BaseException:
        service.sending.give_back(photo.size)
        raise
    return InBlocks(_blocks(service, data), media_type, headers, len(data))


async def _blocks(service: Service, data: bytes) -> AsyncGenerator[bytes]:
    """A file in blocks; afterwards its bytes are given back to the budget."""
    try:
        for start in range(0, len(data), BLOCK_BYTES):
            yield data[start : start + BLOCK_BYTES]
    finally:
        service.sending.give_back(len(data))


class InBlocks(Response):
    """Sent in blocks, each of which a client must take in time. ``length``: bytes of all, if it is known."""

    def __init__(
        self, blocks: AsyncGenerator[bytes], media_type: str, headers: dict[str, str], length: int | None = None
    ) -> None:
        super().__init__(media_type=media_type, headers=headers)
        del self.headers["Content-Length"]  # of no content
        if length is not None:
            self.headers["Content-Length"] = str(length)
        self._blocks = blocks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._blocks) as blocks:
            block = await anext(blocks, b"")  # before anything can fail: only what has begun is closed
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": block, "more_body": True})
            async for block in blocks:
                await send({"type": "http.response.body", "body": block, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _thumbnail(service: Service, id: str, side: int) -> bytes:
    photo_of(service, id)
    if (data := service.thumbnails.get(id, side)) is not None:
        return data
    with _open(service, id) as photo:
        return _jpeg(service, id, side, photo)


def _jpeg(service: Service, id: str, side: int, photo: StoredPhoto) -> bytes:
    if (data := service.thumbnails.get(id, side)) is None:
        data = photo.jpeg(side)
        service.thumbnails.put(id, side, data)
    return data


def pixels_of(service: Service, id: str) -> NDArray[np.uint8]:
    """The photo at the size that the model needs."""
    with _open(service, id) as photo:
        return photo.pixels(service.encoder.photo_side)


def _open(service: Service, id: str, file: str | None = None) -> AbstractContextManager[StoredPhoto]:
    photo = photo_of(service, id)
    return service.photo_decoders.open(photo.id, _files(service, photo, file))


def _headers(name: str) -> dict[str, str]:
    return {"ETag": f'"{name}"', "Cache-Control": CACHE_CONTROL}


def _is_cached(request: Request, name: str) -> bool:
    return f'"{name}"' in request.headers.get("if-none-match", "")
