"""The JSON bodies of responses, as in the OpenAPI schema."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

LocalTime = Annotated[str, Field(examples=["2024-05-31T12:00:00"])]  # cameras record no time zone


class Error(BaseModel):
    error: str


class Hit(BaseModel):
    """``folder`` is named as in /api/status; ``duplicates`` counts the other files that this hit stands for.

    ``weak``: only one of the nearest, probably not what was meant.
    """

    id: str
    score: float
    relevance: float
    weak: bool
    name: str
    folder: str
    width: int
    height: int
    taken: LocalTime | None
    duplicates: int


class Timings(BaseModel):
    """Milliseconds: reading the form, waiting for a thread, opening pictures, the model, the search, the sum."""

    read: float
    wait: float
    decode: float
    encode: float
    search: float
    total: float


class SearchResponse(BaseModel):
    """``note`` gives the reason if there are no hits."""

    hits: list[Hit]
    more: bool
    note: str | None
    took_ms: Timings


class PhotoDetails(BaseModel):
    """Where a photo is stored: ``path`` is absolute, ``duplicates`` are paths that begin with a gallery folder."""

    id: str
    name: str
    folder: str
    path: str
    width: int
    height: int
    taken: LocalTime | None
    duplicates: list[str]


class Explanation(BaseModel):
    """Values from 0 to 1 for ``grid`` x ``grid`` cells, row by row from the top left.

    A box (left, top, right, bottom) is the part of the picture that the grid covers, as fractions. ``best`` gives the
    photo's cell for every cell of the drawing that holds ink.
    """

    id: str
    grid: int
    photo: list[float]
    photo_box: tuple[float, float, float, float]
    drawing: list[float] | None
    drawing_box: tuple[float, float, float, float] | None
    best: list[int | None] | None


class Folder(BaseModel):
    folder: str
    path: str


class Failure(BaseModel):
    file: str
    reason: str


class IndexingStatus(BaseModel):
    """``done`` of ``total`` files, or of MB while a model is downloaded. ``model``: the one to change to, if any."""

    state: Literal["idle", "downloading", "converting", "looking", "indexing", "done", "stopped", "failed"]
    model: str | None
    done: int
    total: int | None
    failed: int
    photos_per_s: float | None
    seconds: float
    error: str | None


class Status(BaseModel):
    version: str
    photos: int
    files: int
    duplicates: int
    failed: int
    model: str
    explains: bool
    folders: list[Folder]
    indexing: IndexingStatus
    failures: list[Failure]


class KnownModel(BaseModel):
    """``bytes``: on disk if it is ``here``, else to download. ``vectors``: photos of the gallery indexed with it."""

    name: str
    about: str
    licence: str
    languages: str
    speed: str
    bytes: int | None
    here: bool
    vectors: int
    current: bool


class Models(BaseModel):
    models: list[KnownModel]


class Health(BaseModel):
    status: Literal["ok"]
