from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sketchseek.gallery import Gallery
from sketchseek.model import Model
from sketchseek.server.app import create_app
from sketchseek.server.processes.indexing import Indexing
from sketchseek.server.protection.limits import Limits
from sketchseek.server.query_encoder import QueryEncoder
from sketchseek.server.service import Service
from sketchseek.server.thumbnails import Thumbnails
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, jpeg, put

# Low, so tests reach every limit quickly.
LIMITS = Limits(
    body_bytes=2**20, body_seconds=5, held_bytes=2**22, pixels=4_000_000, searches=8, pictures=8, svg_seconds=60
)
ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve PNGs, four dated JPEGs in a folder below, and one file that is not a photo; read-only."""
    folder = tmp_path_factory.mktemp("home") / "Pictures"
    fill(folder, 12)
    for month in range(1, 5):
        put(folder / "2024" / f"{month}.jpg", jpeg(month, taken=f"2024:0{month}:15 12:00:00", camera="Acme"))
    put(folder / "broken.jpg", b"\xff\xd8\xff not a photo")
    return folder


@pytest.fixture
def model() -> Model:
    return GridModel()


@pytest.fixture(scope="session")
def gallery_path(photos: Path) -> Path:
    """A gallery of these photos; read-only."""
    path = photos.parent / "gallery"
    with Gallery.open(path, GridModel()) as gallery:
        gallery.add(photos)
    return path


@pytest.fixture
def service(gallery_path: Path, model: Model, tmp_path: Path) -> Iterator[Service]:
    service = make_service(gallery_path, model, tmp_path)
    yield service
    service.close()


def make_service(path: Path, model: Model, tmp_path: Path, **limits: float) -> Service:
    encoder = QueryEncoder(model)
    return Service(
        gallery=Gallery.open(path, encoder),
        encoder=encoder,
        indexing=Indexing(),
        thumbnails=Thumbnails(tmp_path / "cache", 10_000_000),
        limits=replace(LIMITS, **limits),  # type: ignore[arg-type]
    )


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(create_app(service), base_url=ADDRESS) as client:
        yield client


@pytest.fixture
def some_id(service: Service) -> str:
    """The id of 2024/1.jpg."""
    hits = service.gallery.search(text="red", k=100)
    return next(hit.id for hit in hits if hit.path.name == "1.jpg")
