"""Routes of one photo, which is named by its id, a hash of its content; no request contains a path."""

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
from sketchseek.pictures.formats import FORMATS, HEAD_BYTES, JPEG, Format, format_of
from sketchseek.server.api.responses import PhotoDetails
from sketchseek.server.api.schema import errors, picture
from sketchseek.server.errors import RequestError
from sketchseek.server.service import Service
from sketchseek.server.thumbnails import FULL_SIDE
from sketchseek.wording import shown

PhotoId = Annotated[str, InPath(pattern="^[0-9a-f]{16}$")]
CACHE_CONTROL = "private, max-age=31536000, immutable"  # the id is a hash of the content, which therefore never changes
BROWSER_TYPES = tuple(format.mime_type for format in FORMATS if format.mime_type)
Size = Annotated[Literal[160, 320, 640, 1280], BeforeValidator(int), Query()]  # query parameters arrive as text
BLOCK_BYTES = 1 << 18


def create_router(service: Service) -> APIRouter:
    router = APIRouter(prefix="/api/photos")

    @router.get("/{id}", response_class=Response, responses=picture(*BROWSER_TYPES) | errors(404, 410, 422, 503))
    async def original(request: Request, id: PhotoId) -> Response:
        """The file itself if browsers can show its format, otherwise a JPEG of it; upright."""
        if _is_cached(request, id):
            return Response(status_code=304, headers=_headers(id))
        original = await service.pictures.run(request, _original, service, id)
        if isinstance(original, bytes):
            return Response(original, media_type="image/jpeg", headers=_headers(id))
        stream, media_type, size = original
        return StreamingResponse(
            _blocks(stream), media_type=media_type, headers=_headers(id) | {"Content-Length": str(size)}
        )

    @router.get(
        "/{id}/thumbnail", response_class=Response, responses=picture("image/jpeg") | errors(404, 410, 422, 503)
    )
    async def thumbnail(request: Request, id: PhotoId, size: Size = 320) -> Response:
        """A JPEG, upright, longer side at most ``size`` px."""
        name = f"{id}-{size}"
        if _is_cached(request, name):
            return Response(status_code=304, headers=_headers(name))
        data = await service.pictures.run(request, _jpeg, service, id, size)
        return Response(data, media_type="image/jpeg", headers=_headers(name))

    @router.get("/{id}/about", responses=errors(404, 422, 503))
    async def about(request: Request, id: PhotoId) -> PhotoDetails:
        """Where the photo is stored."""
        return await service.pictures.run(request, _about, service, id)

    return router


def photo_of(service: Service, id: str) -> Hit:
    """The photo with this id; 404 if the gallery has none."""
    try:
        return service.gallery.photo(id)
    except GalleryDamagedError:
        raise
    except GalleryError:
        raise RequestError(404, f"the gallery has no photo {id[:40]!r}.") from None


def _about(service: Service, id: str) -> PhotoDetails:
    photo, names = photo_of(service, id), service.folder_names()
    folder, name = names.split(photo.path)
    return PhotoDetails(
        id=id,
        name=name,
        folder=folder,
        path=shown(photo.path),
        width=photo.width,
        height=photo.height,
        taken=photo.taken.isoformat() if photo.taken else None,
        duplicates=[names.file(path) for path in photo.duplicates],
    )


def _original(service: Service, id: str) -> tuple[BinaryIO, str, int] | bytes:
    """(open file, media type, bytes), or a JPEG if browsers cannot show the file upright."""
    stream, path = _open(photo_of(service, id))
    try:
        format = format_of(stream.read(HEAD_BYTES), path.name)
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        if format is not None and format.mime_type and (format is JPEG or _is_upright(stream, format)):
            return stream, format.mime_type, size
    except BaseException:
        stream.close()
        raise
    stream.close()
    return _jpeg(service, id, FULL_SIDE)


def _jpeg(service: Service, id: str, side: int) -> bytes:
    photo = photo_of(service, id)
    if (data := service.thumbnails.get(id, side)) is not None:
        return data
    path = _path_of(photo)
    data = service.photo_decoders.jpeg(os.fsdecode(path), shown(path.name), side)
    service.thumbnails.put(id, side, data)
    return data


def pixels_of(service: Service, id: str) -> NDArray[np.uint8]:
    """The photo at the size that the model needs."""
    path = _path_of(photo_of(service, id))
    return service.photo_decoders.pixels(os.fsdecode(path), shown(path.name), service.encoder.photo_side)


def _path_of(photo: Hit) -> Path:
    stream, path = _open(photo)
    stream.close()
    return path


def _open(photo: Hit) -> tuple[BinaryIO, Path]:
    """The first of the photo's files whose content is unchanged."""
    for path in (photo.path, *photo.duplicates):
        try:
            stream = path.open("rb")
        except OSError:
            continue
        digest = hashlib.blake2b(digest_size=HASH_BYTES)
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
        if digest.hexdigest().startswith(photo.id):
            stream.seek(0)
            return stream, path
        stream.close()
    raise RequestError(
        410, f"{shown(photo.path.name)} is missing or has changed since it was indexed; index its folder again."
    )


def _is_upright(stream: BinaryIO, format: Format) -> bool:
    """Whether the EXIF orientation of the file is normal; browsers apply it only in JPEGs."""
    from PIL import ExifTags, Image

    try:
        with Image.open(stream, formats=(format.pillow_format,)) as image:
            upright: bool = image.getexif().get(ExifTags.Base.Orientation, 1) == 1
    except Exception:  # damaged metadata: browsers ignore it as well
        return True
    finally:
        stream.seek(0)
    return upright


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        while block := stream.read(BLOCK_BYTES):
            yield block


def _headers(name: str) -> dict[str, str]:
    return {"ETag": f'"{name}"', "Cache-Control": CACHE_CONTROL}


def _is_cached(request: Request, name: str) -> bool:
    return f'"{name}"' in request.headers.get("if-none-match", "")
