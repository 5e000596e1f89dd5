"""Routes that rank: search, similar."""

import json
import time
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from numpy.typing import NDArray

from sketchseek.gallery import Hits
from sketchseek.gallery import Query as GalleryQuery
from sketchseek.pictures import Sketch, sketch_from_strokes
from sketchseek.server.api.answers import Found, Took
from sketchseek.server.api.answers import Hit as HitAnswer
from sketchseek.server.api.filters import Filters
from sketchseek.server.api.forms import Asked, read
from sketchseek.server.api.schema import FORM, errors
from sketchseek.server.errors import Refused
from sketchseek.server.routes.photos import PhotoId, photo_of
from sketchseek.server.service import Service


class Stopwatch:
    """Milliseconds between marks."""

    def __init__(self) -> None:
        self._started = self._last = time.perf_counter()
        self._took = dict.fromkeys(Took.model_fields, 0.0)

    def mark(self, name: str) -> None:
        now = time.perf_counter()
        self._took[name] = 1000 * (now - self._last)
        self._last = now

    def split(self, name: str, part: str, seconds: float) -> None:
        """Take ``seconds`` out of a mark and give them a name of their own."""
        self._took[part] = 1000 * seconds
        self._took[name] = max(0.0, self._took[name] - 1000 * seconds)

    def result(self) -> Took:
        self._took["total"] = 1000 * (time.perf_counter() - self._started)
        return Took(**{name: round(value, 2) for name, value in self._took.items()})


def routes(service: Service) -> APIRouter:
    router = APIRouter(prefix="/api")

    @router.post("/search", openapi_extra=FORM, responses=errors(400, 404, 408, 413, 415, 422, 503))
    async def search(request: Request, response: Response) -> Found:
        """Photos for a drawing, words, example photos and marked hits, in any mixture; best first."""
        watch = Stopwatch()
        asked, _ = await read(request)
        watch.mark("read")
        return _timed(response, await service.searches.run(request, _search, service, asked, watch))

    @router.get("/photos/{id}/similar", responses=errors(404, 422, 503))
    async def similar(request: Request, response: Response, id: PhotoId, filters: Annotated[Filters, Query()]) -> Found:
        """Photos like this one, without itself."""
        watch = Stopwatch()
        return _timed(response, await service.searches.run(request, _similar, service, id, filters, watch))

    return router


def opened(service: Service, asked: Asked) -> tuple[list[Sketch], list[NDArray[np.uint8]]]:
    """The drawings and the photos of a search; the page's own strokes first."""
    sketches = [drawn(asked.strokes)] if asked.strokes is not None else []
    sketches += [service.uploads.sketch(file.data, file.name) for file in asked.sketch]
    side = service.encoder.photo_side
    return sketches, [service.uploads.photo(file.data, file.name, side) for file in asked.photo]


def drawn(text: str) -> Sketch:
    """The page's strokes: a list of them, or an object with ``drawing``, ``sheet`` and ``widths``."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused(422, 'strokes: give JSON, [[xs, ys], ...] or {"drawing": [...], "sheet": [w, h]}.') from None
    sheet = widths = None
    if isinstance(found, dict):
        found, sheet, widths = found.get("drawing"), found.get("sheet"), found.get("widths")
        if sheet is not None and not (isinstance(sheet, list) and len(sheet) == 2):
            raise Refused(422, "strokes: the sheet is not [width, height].")
    return sketch_from_strokes(found, sheet=tuple(sheet) if sheet else None, widths=widths)


def _search(service: Service, asked: Asked, watch: Stopwatch) -> Found:
    watch.mark("wait")
    for id in (*asked.like, *asked.unlike):
        photo_of(service, id)
    sketches, photos = opened(service, asked)
    watch.mark("decode")
    words = {"text": asked.text, "minus": asked.minus, "like": asked.like, "unlike": asked.unlike}
    query = GalleryQuery(sketch=sketches, photo=photos, weights=asked.weights, **words)
    options = asked.filters.options(service.places())
    return _ranked(service, asked.filters, watch, lambda: service.gallery.search(query, **options))


def _similar(service: Service, id: str, filters: Filters, watch: Stopwatch) -> Found:
    watch.mark("wait")
    photo_of(service, id)
    watch.mark("decode")
    options = filters.options(service.places())
    return _ranked(service, filters, watch, lambda: service.gallery.similar(id, **options))


def _ranked(service: Service, filters: Filters, watch: Stopwatch, search: Callable[[], Hits]) -> Found:
    places = service.places()
    with service.encoder.timed() as clock:
        hits = search()
    page, end = hits[filters.offset : filters.offset + filters.k], filters.offset + filters.k
    answers = []
    for hit in page:
        folder, name = places.of(hit.path)
        answers.append(
            HitAnswer(
                id=hit.id,
                score=round(hit.score, 6),
                relevance=hit.relevance,
                name=name,
                folder=folder,
                width=hit.width,
                height=hit.height,
                taken=hit.taken.isoformat() if hit.taken else None,
                duplicates=len(hit.duplicates),
            )
        )
    note = None if hits else hits.why_none(service.stats().photos)
    watch.mark("search")
    watch.split("search", "encode", clock.seconds)
    return Found(hits=answers, more=len(hits) > end, note=note, took_ms=watch.result())


def _timed(response: Response, found: Found) -> Found:
    took = found.took_ms.model_dump()
    response.headers["Server-Timing"] = ", ".join(f"{name};dur={value}" for name, value in took.items())
    return found
