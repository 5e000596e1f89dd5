"""What the API says, as it stands in the schema."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

LocalTime = Annotated[str, Field(examples=["2024-05-31T12:00:00"])]  # cameras know no time zone


class Error(BaseModel):
    error: str


class Hit(BaseModel):
    """``folder`` is named as /api/status does; ``duplicates`` counts other files that are folded under this one."""

    id: str
    score: float
    relevance: float | None
    name: str
    folder: str
    width: int
    height: int
    taken: LocalTime | None
    duplicates: int


class Took(BaseModel):
    """Milliseconds: the form, waiting for a turn, opening pictures, the model, the search."""

    read: float
    wait: float
    decode: float
    encode: float
    search: float
    total: float


class Found(BaseModel):
    """``note`` says why there are no hits."""

    hits: list[Hit]
    more: bool
    note: str | None
    took_ms: Took


class About(BaseModel):
    """Where a photo lies: ``path`` is whole, ``duplicates`` are named from the gallery's folders."""

    id: str
    name: str
    folder: str
    path: str
    width: int
    height: int
    taken: LocalTime | None
    duplicates: list[str]


class Explained(BaseModel):
    """Rows of ``grid`` x ``grid`` cells from the top left, 0 to 1; a box is what the grid covers of its picture."""

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


class Indexing(BaseModel):
    state: Literal["idle", "looking", "indexing", "done", "stopped", "failed"]
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
    relevance: bool
    folders: list[Folder]
    indexing: Indexing
    failures: list[Failure]


class Health(BaseModel):
    status: Literal["ok"]
