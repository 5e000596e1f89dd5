"""Routes that return hits: search, similar photos."""

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from numpy.typing import NDArray

from sketchseek import gallery
from sketchseek.pictures import Sketch, sketch_from_strokes
from sketchseek.pictures.formats import SVG, format_of
from sketchseek.server.api.filters import Filters
from sketchseek.server.api.forms import SearchForm, Upload, read_search_form
from sketchseek.server.api.responses import Hit, SearchResponse, Timings
from sketchseek.server.api.schema import SEARCH_FORM, errors
from sketchseek.server.errors import RequestError
from sketchseek.server.folder_names import FolderNames
from sketchseek.server.routes.browse import facts
from sketchseek.server.routes.photos import PhotoId, photo_of
from sketchseek.server.service import Service

Photo = NDArray[np.uint8]


class Stopwatch:
    """Milliseconds of each step."""

    def __init__(self) -> None:
        self._started = self._last = time.perf_counter()
        self._steps = dict.fromkeys(Timings.model_fields, 0.0)

    def finish(self, step: str) -> None:
        """The time since the previous step was ``step``."""
        now = time.perf_counter()
        self._steps[step] = 1000 * (now - self._last)
        self._last = now

    def split(self, step: str, part: str, seconds: float) -> None:
        """Move ``seconds`` of a step to another step."""
        self._steps[part] = 1000 * seconds
        self._steps[step] = max(0.0, self._steps[step] - 1000 * seconds)

    def timings(self) -> Timings:
        self._steps["total"] = 1000 * (time.perf_counter() - self._started)
        return Timings(**{step: round(value, 2) for step, value in self._steps.items()})


def create_router(service: Service) -> APIRouter:
    router = APIRouter(prefix="/api")

    @router.post("/search", openapi_extra=SEARCH_FORM, responses=errors(400, 404, 408, 413, 415, 422, 503))
    async def search(request: Request, response: Response) -> SearchResponse:
        """Photos for any combination of a drawing, words, example photos and marked hits; best first."""
        watch = Stopwatch()
        form = await read_search_form(request)
        watch.finish("read")
        async with uploaded_pictures(service, request, form) as (sketches, photos):
            watch.finish("decode")
            result = await service.searches.run(request, _search, service, form, sketches, photos, watch)
        return _with_timing(response, result)

    @router.get("/photos/{id}/similar", responses=errors(404, 422, 503))
    async def similar(
        request: Request, response: Response, id: PhotoId, filters: Annotated[Filters, Query()]
    ) -> SearchResponse:
        """Photos similar to this one, without the photo itself."""
        watch = Stopwatch()
        return _with_timing(response, await service.searches.run(request, _similar, service, id, filters, watch))

    return router


@asynccontextmanager
async def uploaded_pictures(
    service: Service, request: Request, form: SearchForm
) -> AsyncIterator[tuple[list[Sketch], list[Photo]]]:
    """The uploaded drawings and photos, kept by few requests at once: opened, they may be large."""
    if not form.sketch and not form.photo:
        yield [], []
        return
    pool = service.svgs if any(_is_svg(file) for file in form.sketch) else service.uploads
    async with pool.turn(request):
        yield await pool.call(_open_uploads, service, form)


def _open_uploads(service: Service, form: SearchForm) -> tuple[list[Sketch], list[Photo]]:
    decoders = service.upload_decoders
    sketches = [
        (service.svg_decoders if _is_svg(file) else decoders).sketch(file.data, file.name) for file in form.sketch
    ]
    return sketches, [decoders.photo(file.data, file.name, service.encoder.photo_side) for file in form.photo]


def _is_svg(file: Upload) -> bool:
    return format_of(file.data, file.name) is SVG


def drawn(form: SearchForm) -> list[Sketch]:
    """The strokes of the page, which are only numbers."""
    return [parse_strokes(form.strokes)] if form.strokes is not None else []


def parse_strokes(text: str) -> Sketch:
    """JSON: a list of strokes, or an object with ``drawing`` and perhaps ``sheet``, ``widths`` and ``colours``."""
    try:
        drawing: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise RequestError(422, 'strokes: give JSON, [[xs, ys], ...] or {"drawing": [...], "sheet": [w, h]}.') from None
    sheet = widths = colours = None
    if isinstance(drawing, dict):
        sheet, widths, colours = drawing.get("sheet"), drawing.get("widths"), drawing.get("colours")
        drawing = drawing.get("drawing")
        if sheet is not None and not (isinstance(sheet, list) and len(sheet) == 2):
            raise RequestError(422, "strokes: sheet must be [width, height].")
    return sketch_from_strokes(drawing, sheet=tuple(sheet) if sheet else None, widths=widths, colours=colours)


def _search(
    service: Service, form: SearchForm, sketches: list[Sketch], photos: list[Photo], watch: Stopwatch
) -> SearchResponse:
    watch.finish("wait")
    for id in (*form.like, *form.unlike):
        photo_of(service, id)
    terms = {"text": form.text, "minus": form.minus, "like": form.like, "unlike": form.unlike}
    strokes = drawn(form)
    query = gallery.Query(sketch=strokes + sketches, photo=photos, weights=form.weights, **terms)
    found = _response(service, form.filters, watch, lambda options: service.gallery.search(query, **options))
    if strokes and form.weights.get("sketch", 1) and not form.filters.offset:
        found.guesses = service.encoder.guess(strokes[0])
    return found


def _similar(service: Service, id: str, filters: Filters, watch: Stopwatch) -> SearchResponse:
    watch.finish("wait")
    photo_of(service, id)
    return _response(service, filters, watch, lambda options: service.gallery.similar(id, **options))


def _response(
    service: Service, filters: Filters, watch: Stopwatch, search: Callable[[dict[str, Any]], gallery.Hits]
) -> SearchResponse:
    """One page of the hits of ``search``, which takes the arguments that ``filters`` make."""
    names = service.folder_names()
    options = filters.options(names)
    with service.encoder.timed() as clock:
        hits = search(options)
    end = filters.offset + filters.k
    page = [_hit(hit, names) for hit in hits[filters.offset : end]]
    note = None if hits else hits.why_none(service.stats().photos)
    watch.finish("search")
    watch.split("search", "encode", clock.seconds)
    return SearchResponse(hits=page, more=len(hits) > end, note=note, took_ms=watch.timings())


def _hit(hit: gallery.Hit, names: FolderNames) -> Hit:
    return Hit(**facts(hit, names), score=round(hit.score, 6), relevance=hit.relevance, weak=hit.weak)


def _with_timing(response: Response, result: SearchResponse) -> SearchResponse:
    """Add the timings as a Server-Timing header, which browsers show in their developer tools."""
    timings = result.took_ms.model_dump()
    response.headers["Server-Timing"] = ", ".join(f"{step};dur={value}" for step, value in timings.items())
    return result
