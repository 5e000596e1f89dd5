from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sketchseek.gallery import Gallery
from sketchseek.server.app import create_app
from sketchseek.server.protection import limits
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill
from tests.server.conftest import ADDRESS, make_service
from tests.server.uploads import form, post, refusal


@pytest.fixture
def own(tmp_path: Path) -> Iterator[TestClient]:
    """A server whose gallery a test may change."""
    fill(tmp_path / "photos", 6)
    with Gallery.open(tmp_path / "gallery", GridModel()) as gallery:
        gallery.add(tmp_path / "photos")
    with TestClient(create_app(make_service(tmp_path / "gallery", GridModel(), tmp_path)), base_url=ADDRESS) as client:
        yield client


def ids(client: TestClient) -> list[str]:
    first = client.get("/api/timeline").json()["sections"][0]["pages"][0]
    return [one["id"] for one in client.get("/api/timeline/page", params={"first": first}).json()["photos"]]


def test_a_collection_is_made_filled_shown_and_deleted(own: TestClient) -> None:
    some = ids(own)
    assert own.get("/api/collections").json() == {"collections": [], "searches": []}
    added = post(own, to="/api/collections/add", name="Best of", ids=" ".join([some[4], some[1]]))
    assert added.json() == {"photos": 2}
    assert post(own, to="/api/collections/add", name="Best of", ids=f"{some[1]}\n{some[0]}").json() == {"photos": 1}
    assert own.get("/api/collections").json()["collections"] == [{"name": "Best of", "photos": 3, "missing": 0}]
    shown = own.get("/api/collections/photos", params={"name": "Best of", "k": 2}).json()
    assert [one["id"] for one in shown["photos"]] == [some[4], some[1]] and shown["more"]
    rest = own.get("/api/collections/photos", params={"name": "Best of", "offset": 2}).json()
    assert [one["id"] for one in rest["photos"]] == [some[0]] and not rest["more"]
    assert rest["photos"][0]["folder"] == "photos"
    assert post(own, to="/api/collections/remove", name="Best of", ids=some[1]).json() == {"photos": 1}
    assert own.post("/api/collections/delete", params={"name": "Best of"}).status_code == 204
    assert own.get("/api/collections").json()["collections"] == []
    assert own.get("/api/status").json()["photos"] == 6


def test_a_search_is_saved_replaced_and_deleted(own: TestClient) -> None:
    for query in ('{"address": "text=a"}', '{"address": "text=b", "strokes": []}'):
        assert post(own, to="/api/searches/save", name="Bicycles", query=query).status_code == 204
    (saved,) = own.get("/api/collections").json()["searches"]
    assert saved == {"name": "Bicycles", "query": {"address": "text=b", "strokes": []}}
    assert own.post("/api/searches/delete", params={"name": "Bicycles"}).status_code == 204
    assert own.get("/api/collections").json()["searches"] == []


def test_mistakes_are_sentences(own: TestClient) -> None:
    some = ids(own)
    assert "no collection" in refusal(own.get("/api/collections/photos", params={"name": "x"}), 422)
    assert "no collection" in refusal(own.post("/api/collections/delete", params={"name": "x"}), 422)
    assert "has no photo" in refusal(post(own, to="/api/collections/add", name="x", ids=f"{some[0]} {'0' * 16}"), 422)
    assert own.get("/api/collections").json()["collections"] == []  # all or none
    assert "is not a name" in refusal(post(own, to="/api/collections/add", name="\n", ids=some[0]), 422)
    assert "ids: give it as well" in refusal(post(own, to="/api/collections/add", name="x"), 422)
    assert "unknown field" in refusal(post(own, to="/api/collections/add", name="x", ids="y", more="z"), 422)
    many = " ".join([some[0]] * (limits.MAX_COLLECTED + 1))
    assert "at most 2,000" in refusal(post(own, to="/api/collections/add", name="x", ids=many), 422)
    for query in ("x", "[1]", "{" * 5000, ""):
        refusal(post(own, to="/api/searches/save", name="x", query=query), 422)
    refusal(own.post("/api/collections/add", json={"name": "x"}), 415)


def test_other_sites_change_nothing(own: TestClient) -> None:
    foreign = {"origin": "http://evil.example"}
    parts = form(name="x", ids=ids(own)[0])
    assert own.post("/api/collections/add", files=parts, headers=foreign).status_code == 403
    assert own.get("/api/collections").json()["collections"] == []


def test_a_store_that_keeps_none_says_so(own: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from sketchseek.gallery.embedded.gallery import EmbeddedGallery

    monkeypatch.setattr(EmbeddedGallery, "collections", Gallery.collections)
    assert "cannot keep collections" in refusal(own.get("/api/collections"), 422)
