"""Routes that show a photo. It is named by its id, which comes from its content; a path never comes from outside."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import StreamingResponse
from numpy.typing import NDArray
from pydantic import BeforeValidator

from sketchseek.gallery import Hit
from sketchseek.gallery.errors import GalleryDamagedError, GalleryError
from sketchseek.gallery.reading import HASH_BYTES
from sketchseek.pictures.formats import HEAD_BYTES, kind_of
from sketchseek.server.api.answers import About
from sketchseek.server.api.schema import binary, errors
from sketchseek.server.errors import Refused
from sketchseek.server.service import Service
from sketchseek.server.thumbnails import WHOLE
from sketchseek.wording import shown

PhotoId = Annotated[str, InPath(pattern="^[0-9a-f]{16}$")]
KEEP = "private, max-age=31536000, immutable"  # an id is its content: what it shows never changes
SHOWN_BY_BROWSERS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "AVIF": "image/avif",
    "BMP": "image/bmp",
}
Size = Annotated[Literal[160, 320, 640, 1280], BeforeValidator(int), Query()]  # a query's values are text
BLOCK = 1 << 18


def routes(service: Service) -> APIRouter:
    router = APIRouter(prefix="/api/photos")

    @router.get(
        "/{id}", response_class=Response, responses=binary(*SHOWN_BY_BROWSERS.values()) | errors(404, 410, 422, 503)
    )
    async def original(request: Request, id: PhotoId) -> Response:
        """The photo itself where browsers show its format, else a JPEG of it; upright."""
        if _has(request, id):
            return Response(status_code=304, headers=_headers(id))
        found = await service.pictures.run(request, _original, service, id)
        if isinstance(found, bytes):
            return Response(found, media_type="image/jpeg", headers=_headers(id))
        stream, kind, size = found
        return StreamingResponse(_blocks(stream), media_type=kind, headers=_headers(id) | {"Content-Length": str(size)})

    @router.get("/{id}/thumbnail", response_class=Response, responses=binary("image/jpeg") | errors(404, 410, 422, 503))
    async def thumbnail(request: Request, id: PhotoId, size: Size = 320) -> Response:
        """A JPEG, upright, whose longer side is at most ``size`` px."""
        name = f"{id}-{size}"
        if _has(request, name):
            return Response(status_code=304, headers=_headers(name))
        data = await service.pictures.run(request, _jpeg, service, id, size)
        return Response(data, media_type="image/jpeg", headers=_headers(name))

    @router.get("/{id}/about", responses=errors(404, 422, 503))
    async def about(request: Request, id: PhotoId) -> About:
        """Where the photo lies."""
        return await service.pictures.run(request, _about, service, id)

    return router


def photo_of(service: Service, id: str) -> Hit:
    """The photo of an id; 404 if there is none."""
    try:
        return service.gallery.photo(id)
    except GalleryDamagedError:
        raise
    except GalleryError:
        raise Refused(404, f"the gallery has no photo {id[:40]!r}.") from None


def _about(service: Service, id: str) -> About:
    photo, places = photo_of(service, id), service.places()
    folder, name = places.of(photo.path)
    return About(
        id=id,
        name=name,
        folder=folder,
        path=shown(photo.path),
        width=photo.width,
        height=photo.height,
        taken=photo.taken.isoformat() if photo.taken else None,
        duplicates=[places.file(path) for path in photo.duplicates],
    )


def _original(service: Service, id: str) -> tuple[BinaryIO, str, int] | bytes:
    """The open file with its content type and size, or a JPEG that stands for it."""
    stream, path = _open(photo_of(service, id))
    try:
        kind = kind_of(stream.read(HEAD_BYTES), path.suffix.lower())
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        if kind in SHOWN_BY_BROWSERS and (kind == "JPEG" or _is_upright(stream)):
            return stream, SHOWN_BY_BROWSERS[kind], size
    except BaseException:
        stream.close()
        raise
    stream.close()
    return _jpeg(service, id, WHOLE)


def _jpeg(service: Service, id: str, side: int) -> bytes:
    photo = photo_of(service, id)
    if (data := service.thumbnails.get(id, side)) is not None:
        return data
    stream, path = _open(photo)
    stream.close()
    data = service.photos.jpeg(os.fsdecode(path), shown(path.name), side)
    service.thumbnails.put(id, side, data)
    return data


def pixels_of(service: Service, id: str) -> NDArray[np.uint8]:
    """The photo as the model sees it."""
    stream, path = _open(photo_of(service, id))
    stream.close()
    return service.photos.pixels(os.fsdecode(path), shown(path.name), service.encoder.photo_side)


def _open(photo: Hit) -> tuple[BinaryIO, Path]:
    """The first of the photo's files that still holds it."""
    for path in (photo.path, *photo.duplicates):
        try:
            stream = path.open("rb")
        except OSError:
            continue
        digest = hashlib.blake2b(digest_size=HASH_BYTES)
        while block := stream.read(BLOCK):
            digest.update(block)
        if digest.hexdigest().startswith(photo.id):
            stream.seek(0)
            return stream, path
        stream.close()
    raise Refused(410, f"{shown(photo.path.name)} has gone or changed since it was indexed; index its folder again.")


def _is_upright(stream: BinaryIO) -> bool:
    """Whether nothing in the file says that it is to be turned: browsers follow that in JPEG alone."""
    from PIL import ExifTags, Image

    try:
        with Image.open(stream, formats=("PNG", "WEBP", "GIF", "AVIF", "BMP")) as image:
            upright: bool = image.getexif().get(ExifTags.Base.Orientation, 1) == 1
    except Exception:  # damaged metadata: browsers ignore it as well
        return True
    finally:
        stream.seek(0)
    return upright


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        while block := stream.read(BLOCK):
            yield block


def _headers(name: str) -> dict[str, str]:
    return {"ETag": f'"{name}"', "Cache-Control": KEEP}


def _has(request: Request, name: str) -> bool:
    return f'"{name}"' in request.headers.get("if-none-match", "")
