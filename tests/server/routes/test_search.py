import base64
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from sketchseek.colours import pack
from sketchseek.gallery import Gallery, Query
from sketchseek.neighbours import LOOKS
from sketchseek.pictures import load_photo, load_sketch, sketch_from_strokes
from sketchseek.server.app import create_app
from sketchseek.server.service import Service
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, flat, put
from tests.server.conftest import ADDRESS, make_service
from tests.server.patch_model import PatchModel
from tests.server.uploads import CORNER, SVG, picture, post, refusal

STROKES = sketch_from_strokes([[[0, 90, 90], [0, 0, 90]]], sheet=(100, 100))


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[TestClient]:
    """A gallery of no photos."""
    Gallery.open(tmp_path / "empty", GridModel()).close()
    with TestClient(create_app(make_service(tmp_path / "empty", GridModel(), tmp_path)), base_url=ADDRESS) as client:
        yield client


def ids(client: TestClient, **fields: Any) -> list[str]:
    answer = post(client, **fields)
    assert answer.status_code == 200, answer.text
    return [hit["id"] for hit in answer.json()["hits"]]


def test_hits_are_those_of_the_gallery(client: TestClient, service: Service, some_id: str) -> None:
    uploads = [("sketch", "line.svg", SVG), ("photo", "red.png", picture(colour="red"))]
    answer = post(
        client,
        *uploads,
        strokes=CORNER,
        text=["green", "blue"],
        minus="yellow",
        like=some_id,
        weights='{"text": 0.3}',
        k=7,
    )
    photo = service.upload_decoders.photo(picture(colour="red"), "red.png", 16)
    query = Query(
        sketch=[STROKES, load_sketch(SVG)],
        photo=photo,
        text=["green", "blue"],
        minus="yellow",
        like=some_id,
        weights={"text": 0.3},
    )
    expected = service.gallery.search(query, k=7)
    found = answer.json()
    assert [hit["id"] for hit in found["hits"]] == [hit.id for hit in expected]
    assert [hit["score"] for hit in found["hits"]] == pytest.approx([hit.score for hit in expected], abs=1e-6)
    assert found["more"] is True
    assert found["note"] is None


def test_coloured_strokes_count(client: TestClient, service: Service) -> None:
    bar, colours = [[0, 100], [20, 20]], ["#2b6cd4"]
    drawing = {"drawing": [bar], "sheet": [100, 100], "widths": [9]}
    strokes = json.dumps({**drawing, "colours": colours})
    sketch = sketch_from_strokes([bar], sheet=(100, 100), widths=[9], colours=colours)
    assert ids(client, strokes=strokes) == [hit.id for hit in service.gallery.search(sketch=sketch)][:48]
    black = ids(client, strokes=json.dumps(drawing))
    assert black == ids(client, strokes=json.dumps({**drawing, "colours": [None]})) != ids(client, strokes=strokes)
    alone = post(client, strokes=strokes, weights='{"sketch": 0}', k=5).json()
    assert [hit["id"] for hit in alone["hits"]] == [hit.id for hit in service.gallery.search(colours=sketch, k=5)]
    assert {(hit["relevance"], hit["weak"]) for hit in alone["hits"]} == {(None, False)}
    said = refusal(post(client, strokes=strokes, weights='{"sketch": 0}', min_relevance=0.1), 422)
    assert "colours alone give no relevance" in said


def test_a_hit_contains_what_the_page_shows(client: TestClient, service: Service, some_id: str) -> None:
    found = post(client, text="red", k=16).json()["hits"]
    (hit,) = [hit for hit in found if hit["id"] == some_id]
    del hit["score"]
    relevance = hit.pop("relevance")
    photo = load_photo(service.gallery.photo(some_id).path, target=16)
    assert base64.b64decode(hit.pop("colours")) == pack(photo)
    assert hit == {
        "id": some_id,
        "weak": relevance < 0.1,
        "name": "1.jpg",
        "folder": "Pictures/2024",
        "width": 24,
        "height": 16,
        "taken": "2024-01-15T12:00:00",
        "duplicates": 0,
    }


def test_pages_are_slices_of_one_ranking(client: TestClient) -> None:
    everything = ids(client, text="red", k=100)
    assert len(everything) == 16
    pages = [ids(client, text="red", k=5, offset=offset) for offset in (0, 5, 10, 15, 20)]
    assert [len(page) for page in pages] == [5, 5, 5, 1, 0]
    assert [*itertools.chain(*pages)] == everything
    more = [post(client, text="red", k=8, offset=offset).json()["more"] for offset in (0, 7, 8, 16)]
    assert more == [True, True, False, False]


def test_filters_are_the_gallery_s(client: TestClient, service: Service) -> None:
    assert len(ids(client, text="red", under="Pictures")) == 16
    assert len(ids(client, text="red", under="Pictures/2024")) == 4
    assert len(ids(client, text="red", under="Pictures/nothing")) == 0
    assert len(ids(client, text="red", taken_from="2024-02", taken_to="2024-03")) == 2
    assert len(ids(client, text="red", taken_to="2024-02-14")) == 1
    best = service.gallery.search(text="red", k=3)
    assert len(ids(client, text="red", min_score=best[2].score - 1e-6)) == 3
    assert len(ids(client, text="red", fold=0)) < 16


def test_look_orders_the_hits(client: TestClient, service: Service, some_id: str) -> None:
    expected = {look: [hit.id for hit in service.gallery.search(sketch=STROKES, look=look)] for look in LOOKS}
    assert {look: ids(client, strokes=CORNER, look=look) for look in LOOKS} == expected
    assert ids(client, strokes=CORNER) == expected["both"]
    assert expected["kind"] != expected["direct"]
    for look in LOOKS:
        similar = client.get(f"/api/photos/{some_id}/similar", params={"look": look}).json()["hits"]
        assert [hit["id"] for hit in similar] == [hit.id for hit in service.gallery.similar(some_id, look=look)]


def test_strokes_that_the_model_knows_have_names(client: TestClient, tmp_path: Path) -> None:
    along = {"drawing": [[[100, 900], [96, 96]]], "sheet": [1000, 800]}
    roof, down = json.dumps(along), json.dumps({**along, "drawing": [[[500, 500], [80, 700]]]})
    Gallery.open(tmp_path / "other", PatchModel()).close()

    def guesses(client: TestClient, **fields: Any) -> list[str]:
        answer = post(client, **fields)
        assert answer.status_code == 200, answer.text
        names: list[str] = answer.json()["guesses"]
        return names

    service = make_service(tmp_path / "other", PatchModel(), tmp_path)
    with TestClient(create_app(service), base_url=ADDRESS) as knowing:
        assert guesses(knowing, strokes=roof, text="red") == ["roof", "shelf"]
        assert guesses(knowing, strokes=down) == guesses(knowing, text="roof") == []
        assert guesses(knowing, strokes=roof, offset=48) == []  # the page has them from the first hits
        assert guesses(knowing, strokes=roof, text="red", weights='{"sketch": 0}') == []
    assert guesses(client, strokes=roof) == []  # a model that knows no names


def test_no_hits_have_a_reason(client: TestClient, empty: TestClient) -> None:
    assert post(client, text="red", min_score=1).json()["note"] == "nothing similar enough among 16 photos."
    assert post(empty, text="red").json()["note"] == "the gallery holds no photos yet."
    # No note for a page after the last hit.
    assert post(client, text="red", offset=16).json()["note"] is None


def test_hits_are_dropped_by_relevance_only_on_request(client: TestClient) -> None:
    everything = post(client, text="red").json()["hits"]
    assert len(everything) == 16
    assert all(hit["weak"] == (hit["relevance"] < 0.1) for hit in everything)
    least = sorted(hit["relevance"] for hit in everything)[8]
    kept = post(client, text="red", min_relevance=least).json()["hits"]
    assert kept == [hit for hit in everything if hit["relevance"] >= least]


def test_timings_are_reported(client: TestClient) -> None:
    answer = post(client, strokes=CORNER)
    took = answer.json()["took_ms"]
    assert list(took) == ["read", "wait", "decode", "encode", "search", "total"]
    assert took["encode"] > 0
    assert sum(value for name, value in took.items() if name != "total") <= took["total"] + 1
    assert answer.headers["server-timing"].startswith(f"read;dur={took['read']}, ")


def test_what_was_encoded_just_now_is_not_encoded_again(client: TestClient, service: Service) -> None:
    first = post(client, strokes=CORNER, text="red").json()
    again = post(client, strokes=CORNER, text="red", k=3, offset=1).json()
    assert again["took_ms"]["encode"] == 0
    assert again["hits"] == first["hits"][1:4]


def test_similar_photos(client: TestClient, service: Service, some_id: str) -> None:
    answer = client.get(f"/api/photos/{some_id}/similar", params={"k": 5, "offset": 2, "under": "Pictures"})
    expected = service.gallery.similar(some_id, k=7)[2:]
    assert [hit["id"] for hit in answer.json()["hits"]] == [hit.id for hit in expected]
    assert answer.json()["more"]
    assert some_id not in [hit.id for hit in expected]
    assert "no photo" in refusal(client.get(f"/api/photos/{'0' * 16}/similar"), 404)
    for wrong in ({"k": "0"}, {"k": "x"}, {"fold": "2"}, {"under": "../x"}, {"look": "x"}, {"smell": "x"}):
        refusal(client.get(f"/api/photos/{some_id}/similar", params=wrong), 422)
    assert client.get(f"/api/photos/{some_id}/similar", params={"fold": "", "under": "", "k": ""}).status_code == 200


@pytest.mark.parametrize(
    ("field", "name", "data", "message"),
    [
        ("sketch", "x.png", b"", "x.png: the file is empty"),
        ("sketch", "x.png", b"text", "x.png: is not a picture"),
        ("sketch", "x.png", picture()[:90], "x.png: is cut short"),
        ("sketch", "../../x\x00\x1b[31m.png", b"\0", "is not a picture"),
        ("sketch", "deep.json", b"[" * 50_000, "is not JSON strokes"),
        ("sketch", "entity.svg", b'<!DOCTYPE svg [<!ENTITY a "b">]><svg/>', "declares entities"),
        ("sketch", "file.svg", b'<svg><image href="file:///etc/passwd"/></svg>', "embedded picture"),
        ("sketch", "fetch.svg", b'<svg><use href="http://evil.example/#x"/></svg>', "outside itself"),
        ("photo", "drawing.svg", SVG, "is a drawing, not a photo"),
        ("photo", "x.zip", b"PK\x03\x04", "is a zip archive"),
        ("photo", "large.png", picture(size=(4000, 1100)), "over the limit of 4 million"),
    ],
)
def test_pictures_that_cannot_be_used(client: TestClient, field: str, name: str, data: bytes, message: str) -> None:
    assert message in refusal(post(client, (field, name, data)), 422)


def test_strokes_in_a_file_are_a_drawing_too(client: TestClient) -> None:
    strokes = json.dumps([[[0, 90, 90], [0, 0, 90]]])
    assert ids(client, strokes=strokes) == [
        hit["id"] for hit in post(client, ("sketch", "x.json", strokes.encode())).json()["hits"]
    ]


def test_photos_that_come_and_go_are_seen(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    put(folder / "a" / "red.png", flat((220, 30, 30)))
    service = make_service(tmp_path / "gallery", GridModel(), tmp_path)
    with TestClient(create_app(service), base_url=ADDRESS) as client:
        assert ids(client, text="red") == []
        with Gallery.open(tmp_path / "gallery", GridModel()) as writer:
            writer.add(folder)
            assert len(ids(client, text="red")) == 1
            fill(folder, 3)
            put(folder / "b" / "same.png", flat((220, 30, 30)))
            writer.add(folder)
        hits = post(client, text="red").json()["hits"]
        assert len(hits) == 4
        assert hits[0]["duplicates"] == 1
