"""The route that shows which parts of a photo match the query, by comparing the vectors of patches."""

import numpy as np
from fastapi import APIRouter, Request
from numpy.typing import NDArray

from sketchseek.gallery import Query
from sketchseek.gallery.query import encode, fuse
from sketchseek.model import has_patches
from sketchseek.pictures import Sketch
from sketchseek.pictures.extent import extent
from sketchseek.server.api.forms import SearchForm, read_explain_form
from sketchseek.server.api.responses import Explanation
from sketchseek.server.api.schema import EXPLAIN_FORM, errors
from sketchseek.server.errors import RequestError
from sketchseek.server.patches import cosines, inked_cells, stretched
from sketchseek.server.query_encoder import QueryEncoder
from sketchseek.server.routes.photos import pixels_of
from sketchseek.server.routes.search import Photo, drawn, uploaded_pictures
from sketchseek.server.service import Service


def create_router(service: Service) -> APIRouter:
    router = APIRouter(prefix="/api")

    @router.post("/explain", openapi_extra=EXPLAIN_FORM, responses=errors(400, 404, 408, 410, 413, 415, 422, 503))
    async def explain(request: Request) -> Explanation:
        """Which parts of the photo ``id`` match which parts of the query; the form is that of a search."""
        form, id = await read_explain_form(request)
        encoder = service.encoder  # the same for all of this request
        model = encoder.model
        if not has_patches(model):
            raise RequestError(422, f"the model {model.name} cannot show which parts match.")
        async with uploaded_pictures(service, request, form) as (sketches, examples), service.pictures.turn(request):
            stored = await service.pictures.call(_stored_photos, service, [id, *form.like])
            return await service.searches.run(request, _explain, encoder, form, id, sketches, examples, stored)

    return router


def _stored_photos(service: Service, ids: list[str]) -> list[Photo]:
    return [pixels_of(service, id) for id in ids]


def _explain(
    encoder: QueryEncoder,
    form: SearchForm,
    id: str,
    sketches: list[Sketch],
    examples: list[Photo],
    stored: list[Photo],
) -> Explanation:
    """``stored``: the photo ``id``, then the liked ones."""
    model = encoder.model
    assert has_patches(model)
    photo, *liked = stored
    sketches = drawn(form) + sketches if form.weights.get("sketch", 1) else []
    patches = model.patches_photos([photo])[0]
    photo_box = extent(photo, model.record.photos)
    if not sketches:
        examples = examples + liked
        if not (examples or form.text):
            raise RequestError(
                422, "of this drawing only its colours count, and those match no single parts of a photo."
            )
        query = Query(photo=examples, text=form.text, minus=form.minus, weights=form.weights)
        vector = fuse(encode(query, lambda: encoder, _no_marks))
        return Explanation(
            id=id,
            grid=model.grid,
            photo=stretched(patches @ vector),
            photo_box=photo_box,
            drawing=None,
            drawing_box=None,
            best=None,
        )
    drawing, preprocessing = sketches[0], model.record.sketches
    inked = inked_cells(drawing, preprocessing, model.grid)
    similarities = cosines(model.patches_sketches([drawing])[0], inked, patches)
    cells = np.full(model.grid**2, np.nan, np.float32)
    cells[inked] = similarities.max(axis=1)
    best: list[int | None] = [None] * model.grid**2
    for cell, nearest in zip(inked, similarities.argmax(axis=1), strict=True):
        best[cell] = int(nearest)
    return Explanation(
        id=id,
        grid=model.grid,
        photo=stretched(similarities.max(axis=0)),
        photo_box=photo_box,
        drawing=stretched(cells),
        drawing_box=extent(drawing, preprocessing),
        best=best,
    )


def _no_marks(id: str) -> NDArray[np.float32]:
    raise AssertionError(f"{id}: liked photos are part of the query as pictures, not as marks")
