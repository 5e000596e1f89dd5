"""Which part of a photo matches which part of a query: the model's vectors of patches, compared one with one."""

from typing import Protocol, TypeGuard

import numpy as np
from fastapi import APIRouter, Request
from numpy.typing import NDArray

from sketchseek.gallery import Query
from sketchseek.gallery.query import encode, fuse
from sketchseek.model import Model
from sketchseek.pictures import Preprocessing, Sketch, fit
from sketchseek.pictures.extent import extent
from sketchseek.pictures.prepare import is_ink
from sketchseek.server.api.answers import Explained
from sketchseek.server.api.forms import Asked, read
from sketchseek.server.api.schema import FORM_OF_PHOTO, errors
from sketchseek.server.errors import Refused
from sketchseek.server.routes.photos import pixels_of
from sketchseek.server.routes.search import opened
from sketchseek.server.service import Service

Vectors = NDArray[np.float32]


class PatchRecord(Protocol):
    """How the model prepares pictures, and which graphs it has."""

    photos: Preprocessing
    sketches: Preprocessing
    graphs: dict[str, str]


class PatchModel(Model, Protocol):
    """A model that also has a vector for each patch of a picture."""

    grid: int
    record: PatchRecord

    def patches_photos(self, photos: list[NDArray[np.uint8]]) -> Vectors:
        """(n, grid * grid, size), row by row from the top left."""

    def patches_sketches(self, sketches: list[Sketch]) -> Vectors:
        """The same for sketches."""


def has_patches(model: Model) -> TypeGuard[PatchModel]:
    return {"photo_patches", "sketch_patches"} <= set(getattr(getattr(model, "record", None), "graphs", ()))


def routes(service: Service) -> APIRouter:
    router = APIRouter(prefix="/api")

    @router.post("/explain", openapi_extra=FORM_OF_PHOTO, responses=errors(400, 404, 408, 410, 413, 415, 422, 503))
    async def explain(request: Request) -> Explained:
        """Which part of the photo ``id`` matches which part of the query; the form is that of a search."""
        asked, id = await read(request, extra="id")
        return await service.searches.run(request, _explain, service, asked, id)

    return router


def _explain(service: Service, asked: Asked, id: str) -> Explained:
    model = service.encoder.model
    if not has_patches(model):
        raise Refused(422, f"the model {model.name} cannot say which parts match.")
    sketches, examples = opened(service, asked)
    photo = pixels_of(service, id)
    patches = model.patches_photos([photo])[0]
    answer = Explained(
        id=id,
        grid=model.grid,
        photo=[],
        photo_box=extent(photo, model.record.photos),
        drawing=None,
        drawing_box=None,
        best=None,
    )
    if not sketches:
        examples += [pixels_of(service, liked) for liked in asked.like]
        query = Query(photo=examples, text=asked.text, minus=asked.minus, weights=asked.weights)
        vector = fuse(encode(query, lambda: service.encoder, _never))
        return answer.model_copy(update={"photo": _stretched(patches @ vector)})
    drawing, how = sketches[0], model.record.sketches
    inked = ink_by_cell(drawing, how, model.grid)
    alike = compare(model.patches_sketches([drawing])[0], inked, patches)
    cells = np.full(model.grid**2, np.nan, np.float32)
    cells[inked] = alike.max(axis=1)
    best: list[int | None] = [None] * model.grid**2
    for cell, nearest in zip(inked, alike.argmax(axis=1), strict=True):
        best[cell] = int(nearest)
    found = {"photo": _stretched(alike.max(axis=0)), "drawing": _stretched(cells), "best": best}
    return answer.model_copy(update={**found, "drawing_box": extent(drawing, how)})


def _never(id: str) -> Vectors:
    raise AssertionError(f"{id} is asked as a photo, not as a mark")


def compare(drawing: Vectors, inked: NDArray[np.int64], photo: Vectors) -> Vectors:
    """How alike each inked cell of the drawing and each cell of the photo are, as cosines (inked, cells).

    Patches of one picture have much in common that says nothing of the place, and some cells of a photo are near
    everything for that alone. So the blank cells' mean is taken off the drawing, and its own mean off the photo.
    """
    blank = np.delete(drawing, inked, axis=0)
    common = (blank if len(blank) else drawing).mean(axis=0)
    return np.asarray(_unit(drawing[inked] - common) @ _unit(photo - photo.mean(axis=0)).T, np.float32)


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6), np.float32)


def ink_by_cell(drawing: Sketch, how: Preprocessing, grid: int) -> NDArray[np.int64]:
    """The cells, row by row, in which something is drawn; never none."""
    inked = is_ink(fit(drawing, how))
    edges = np.linspace(0, how.size, grid + 1).round().astype(int)
    cells = [inked[top:bottom, left:right].any() for top, bottom in _pairs(edges) for left, right in _pairs(edges)]
    found = np.flatnonzero(cells)
    return found if len(found) else np.arange(grid**2)


def _pairs(edges: NDArray[np.int64]) -> list[tuple[int, int]]:
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _stretched(values: Vectors) -> list[float]:
    """From 0 for the least to 1 for the most alike; what is not a number stays 0."""
    least, most = float(np.nanmin(values)), float(np.nanmax(values))
    shares = (np.nan_to_num(values, nan=least) - least) / max(most - least, 1e-6)
    return [round(float(share), 4) for share in shares]
