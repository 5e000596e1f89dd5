import base64
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sketchseek.colours import BYTES
from sketchseek.gallery import Gallery
from sketchseek.server.routes import browse
from sketchseek.server.service import Service
from tests.gallery.photos import fill
from tests.server.uploads import post, refusal


def test_photos_by_month(client: TestClient) -> None:
    timeline = client.get("/api/timeline").json()
    assert timeline["photos"] == 16
    sections = timeline["sections"]
    assert [(one["month"], one["count"]) for one in sections] == [
        *((f"2024-0{month}", 1) for month in (4, 3, 2, 1)),
        (None, 12),
    ]
    (first,) = sections[0]["pages"]
    page = client.get("/api/timeline/page", params={"first": first}).json()
    assert len(base64.b64decode(page["photos"][0].pop("colours"))) == BYTES
    assert page == {
        "photos": [
            {
                "id": first,
                "name": "4.jpg",
                "folder": "Pictures/2024",
                "width": 24,
                "height": 16,
                "taken": "2024-04-15T12:00:00",
                "duplicates": 0,
            }
        ]
    }
    undated = client.get("/api/timeline/page", params={"first": sections[-1]["pages"][0], "k": 5}).json()["photos"]
    assert [photo["name"] for photo in undated] == [f"{number:05}.png" for number in range(5)]


def test_photos_of_a_folder(client: TestClient) -> None:
    timeline = client.get("/api/timeline", params={"under": "Pictures/2024"}).json()
    assert timeline["photos"] == 4
    assert client.get("/api/timeline", params={"under": ""}).json()["photos"] == 16
    assert "no such folder" in refusal(client.get("/api/timeline", params={"under": "elsewhere"}), 422)


def test_photos_by_folder(client: TestClient) -> None:
    timeline = client.get("/api/timeline", params={"by": "folder"}).json()
    assert timeline["photos"] == 16
    above, below = timeline["sections"]
    assert [(one["folder"], one["month"], one["count"]) for one in (above, below)] == [
        ("Pictures", None, 12),
        ("Pictures/2024", None, 4),
    ]
    where = {"folder": "Pictures/2024", "first": below["pages"][0]}
    photos = client.get("/api/timeline/page", params=where).json()["photos"]
    assert [photo["name"] for photo in photos] == ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]
    assert "has no photo" in refusal(client.get("/api/timeline/page", params={**where, "folder": "Pictures"}), 404)
    assert "no such folder" in refusal(client.get("/api/timeline/page", params={**where, "folder": "else"}), 422)
    refusal(client.get("/api/timeline", params={"by": "size"}), 422)
    within = client.get("/api/timeline", params={"by": "folder", "under": "Pictures/2024", "taken_from": "2024-03"})
    assert [(one["folder"], one["count"]) for one in within.json()["sections"]] == [("Pictures/2024", 2)]


def test_a_photo_that_has_gone(client: TestClient) -> None:
    assert "has no photo" in refusal(client.get("/api/timeline/page", params={"first": "0" * 16}), 404)
    wrongs: list[dict[str, str | int]] = [
        {},
        {"first": "x"},
        {"first": "0" * 16, "k": 0},
        {"first": "0" * 16, "k": 201},
    ]
    for wrong in wrongs:
        refusal(client.get("/api/timeline/page", params=wrong), 422)


def test_photos_by_name_kind_and_camera(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/api/cameras").json() == {"cameras": [{"camera": "Acme", "photos": 4}], "more": False}
    for filters, names in (
        ({"camera": "Acme", "name": "3"}, ["3.jpg"]),
        ({"kind": "png", "name": "11"}, ["00011.png"]),
        ({"kind": "raw"}, []),
        ({"camera": "acme"}, []),
    ):
        timeline = client.get("/api/timeline", params=filters).json()
        assert timeline["photos"] == len(names)
        for section in timeline["sections"]:
            params = {"first": section["pages"][0], **filters}
            photos = client.get("/api/timeline/page", params=params).json()["photos"]
            assert [photo["name"] for photo in photos] == names
        assert [hit["name"] for hit in post(client, text="red", **filters).json()["hits"]] == names
    monkeypatch.setattr(browse, "MAX_CAMERAS", 0)
    monkeypatch.setattr(Service, "kept", lambda _, __, make: make())
    assert client.get("/api/cameras").json() == {"cameras": [], "more": True}


def test_the_tree_of_folders(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/api/folders").json() == {
        "folders": [{"folder": "Pictures", "files": 12}, {"folder": "Pictures/2024", "files": 4}],
        "more": False,
    }


def test_a_long_tree_is_cut(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browse, "MAX_FOLDERS", 1)
    assert client.get("/api/folders").json() == {"folders": [{"folder": "Pictures", "files": 12}], "more": True}


def test_the_answers_follow_the_gallery(tmp_path: Path) -> None:
    from sketchseek.server.app import create_app
    from tests.gallery.grid_model import GridModel
    from tests.server.conftest import ADDRESS, make_service

    fill(tmp_path / "a" / "b" / "c", 2)
    with Gallery.open(tmp_path / "gallery", GridModel()) as gallery:
        gallery.add(tmp_path / "a")
        service = make_service(tmp_path / "gallery", GridModel(), tmp_path)
        with TestClient(create_app(service), base_url=ADDRESS) as client:
            tree = [(one["folder"], one["files"]) for one in client.get("/api/folders").json()["folders"]]
            assert tree == [("a", 0), ("a/b", 0), ("a/b/c", 2)]
            assert client.get("/api/timeline").json()["photos"] == 2
            fill(tmp_path / "a", 1, first=9)
            gallery.add(tmp_path / "a")
            service._cached_at = 0  # a second later
            assert client.get("/api/timeline").json()["photos"] == 3


def test_a_store_that_cannot_list_says_so(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sections", "folder_sections", "section_page", "folder_counts", "cameras"):
        monkeypatch.setattr(type(service.gallery), name, getattr(Gallery, name))
    assert "cannot list photos by date" in refusal(client.get("/api/timeline"), 422)
    assert "cannot list photos by folder" in refusal(client.get("/api/timeline", params={"by": "folder"}), 422)
    assert "cannot list cameras" in refusal(client.get("/api/cameras"), 422)
    assert "cannot list its folders" in refusal(client.get("/api/folders"), 422)
