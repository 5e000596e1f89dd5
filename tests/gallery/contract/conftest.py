"""The same tests for every store: ``shop`` opens galleries in the one that the test's parameter names."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sketchseek.gallery import Gallery
from tests.gallery.grid_model import GridModel
from tests.gallery.milvus_server import shared


@dataclass
class Shop:
    """Opens one gallery, again and again."""

    kind: str
    place: str
    roots: dict[str, Path]
    opened: list[Gallery] = field(default_factory=list)

    def open(self, model: Any = None, **options: Any) -> Gallery:
        if self.kind == "milvus":
            options["roots"] = self.roots
        self.opened.append(Gallery.open(self.place, model, **options))
        return self.opened[-1]


def drop(place: str) -> None:
    """Take a gallery off its server."""
    from pymilvus import MilvusClient

    address, _, name = place.removeprefix("milvus://").partition("/")
    client = MilvusClient(f"http://{address}")
    for collection in client.list_collections():
        if collection.startswith(name + "__"):
            for alias in client.describe_collection(collection)["aliases"]:
                client.drop_alias(alias)
            client.drop_collection(collection)
    client.close()


@pytest.fixture(params=["embedded", pytest.param("milvus", marks=pytest.mark.milvus)])
def shop(request: pytest.FixtureRequest, tmp_path: Path, photos: Path) -> Iterator[Shop]:
    kind = request.param
    place = str(tmp_path / "gallery") if kind == "embedded" else shared().url(f"test_{uuid.uuid4().hex[:12]}")
    made = Shop(kind, place, {"photos": photos, "else": tmp_path})
    yield made
    for gallery in made.opened:
        gallery.close()
    if kind == "milvus":
        drop(place)


@pytest.fixture
def gallery(shop: Shop, model: GridModel) -> Gallery:
    """An empty gallery of the store with the test model."""
    return shop.open(model)


@pytest.fixture
def open_gallery(shop: Shop) -> Callable[..., Gallery]:
    return shop.open


@pytest.fixture
def run_sketchseek(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Calls the command line in this process; gives stdout."""
    from sketchseek.cli import main
    from sketchseek.gallery.roots import ROOTS

    monkeypatch.setenv(ROOTS, "")

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        assert ended.value.code == 0, said.err
        return said.out

    return run
