"""The JSON bodies of responses, as in the OpenAPI schema."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

LocalTime = Annotated[str, Field(examples=["2024-05-31T12:00:00"])]  # cameras record no time zone


class Error(BaseModel):
    error: str


class Photo(BaseModel):
    """``folder`` is named as in /api/status; ``duplicates`` counts the other files that this photo stands for.

    ``colours``: 12 x 12 pixels to show until the photo has loaded, in base64: a byte each, row by row. Its value is
    (red * 7 + green) * 6 + blue, with 6, 7 and 6 levels. Null if the gallery keeps none.
    """

    id: str
    name: str
    folder: str
    width: int
    height: int
    taken: LocalTime | None
    duplicates: int
    colours: str | None


class Hit(Photo):
    """``weak``: only one of the nearest, probably not what was meant. ``relevance``: null for colours alone."""

    score: float
    relevance: float | None
    weak: bool


class Section(BaseModel):
    """The photos of a ``month``, or without a date; or those directly in a ``folder``.

    ``pages``: the id of every 200th photo, to ask for that page.
    """

    month: Annotated[str, Field(examples=["2024-05"])] | None
    folder: Annotated[str, Field(examples=["Pictures/2024"])] | None
    count: int
    pages: list[str]


class Timeline(BaseModel):
    photos: int
    sections: list[Section]


class TimelinePage(BaseModel):
    photos: list[Photo]


class CountedFolder(BaseModel):
    """``files``: photos in this folder, without those in folders below."""

    folder: str
    files: int


class Camera(BaseModel):
    camera: str
    photos: int


class Cameras(BaseModel):
    """``more``: there are too many to list."""

    cameras: list[Camera]
    more: bool


class FolderTree(BaseModel):
    """The folders of the gallery that have photos, and those above them. ``more``: there are too many to list."""

    folders: list[CountedFolder]
    more: bool


class Timings(BaseModel):
    """Milliseconds: reading the form, waiting for a thread, opening pictures, the model, the search, the sum."""

    read: float
    wait: float
    decode: float
    encode: float
    search: float
    total: float


class SearchResponse(BaseModel):
    """``note`` gives the reason if there are no hits.

    ``guesses``: for the strokes of a first page, English names of what they may show, likeliest first; none if the
    model is not sure, or has learned no names.
    """

    hits: list[Hit]
    more: bool
    note: str | None
    guesses: list[str] = Field(default_factory=list, max_length=5)
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


class PhotoFacts(BaseModel):
    """What is in the file: ``bytes``, and what the camera wrote. ``place``: latitude and longitude in degrees."""

    bytes: int
    camera: str | None = None
    lens: str | None = None
    aperture: float | None = None
    exposure_s: float | None = None
    iso: float | None = None
    focal_mm: float | None = None
    place: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None


class NamedCollection(BaseModel):
    """``photos`` of it have a file now, ``missing`` have none."""

    name: str
    photos: int
    missing: int


class SavedSearch(BaseModel):
    name: str
    query: dict[str, Any]


class Collections(BaseModel):
    collections: list[NamedCollection]
    searches: list[SavedSearch]


class CollectionPhotos(BaseModel):
    photos: list[Photo]
    more: bool


class Collected(BaseModel):
    """How many photos were not in the collection before, or were in it."""

    photos: int


class Copied(BaseModel):
    """How many photos are now in ``folder``, named as in /api/places; ``more``: some are still to be copied.

    ``failed``: a sentence for each photo that could not be read.
    """

    folder: str
    photos: int
    failed: list[str]
    more: bool


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


class PlacesListing(BaseModel):
    """What is in ``folder`` (null: where to begin): names of ``folders`` in it, how many ``photos`` directly in it.

    ``more``: not all is listed or counted. ``suggestions``: folders in which people usually keep photos.
    """

    folder: str | None
    parent: str | None
    folders: list[str]
    photos: int
    more: bool
    suggestions: list[str]


class Forgotten(BaseModel):
    files: int


class Watched(BaseModel):
    watching: bool


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
    """``accepts``: suffixes of the files that can be uploaded. ``reveals``: whether photos can be shown in folders."""

    version: str
    photos: int
    files: int
    duplicates: int
    failed: int
    model: str
    explains: bool
    adds_folders: bool
    watching: bool
    reveals: bool
    accepts: list[str]
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
