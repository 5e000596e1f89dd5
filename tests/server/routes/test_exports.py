"""A collection as a zip file, as a list of paths, and in another folder."""

import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sketchseek.gallery import Gallery
from sketchseek.server.app import create_app
from sketchseek.server.places import Places
from sketchseek.server.protection import limits
from sketchseek.server.routes import exports
from sketchseek.server.service import Service
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import jpeg, png, put
from tests.server.conftest import ADDRESS, make_service
from tests.server.uploads import post, refusal

NAME = "Best: of/2024"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[TestClient, Service]]:
    """A server whose gallery has a collection of four photos, two of the same name, in the order 1, 0, 3, 2."""
    files = [
        put(tmp_path / "home" / "in" / "a" / "one.png", png(1)),
        put(tmp_path / "home" / "in" / "b" / "ONE.png", png(2)),
        put(tmp_path / "home" / "in" / "taken.jpg", jpeg(3, taken="2024:05:31 12:00:02")),
        put(tmp_path / "home" / "in" / "ü.png", png(4)),
    ]
    (tmp_path / "home" / "out").mkdir()
    with Gallery.open(tmp_path / "gallery", GridModel()) as gallery:
        gallery.add(tmp_path / "home" / "in")
        gallery.collections.add(NAME, [gallery.collections.id_of(files[at]) for at in (1, 0, 3, 2)])
    service = make_service(tmp_path / "gallery", GridModel(), tmp_path)
    service.places = Places([tmp_path / "home"])
    with TestClient(create_app(service), base_url=ADDRESS) as client:
        yield client, service


def files_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {one.filename: archive.read(one) for one in archive.infolist()}


def test_a_zip_file_has_every_file_as_it_is(served: tuple[TestClient, Service], tmp_path: Path) -> None:
    client, service = served
    answer = client.get("/api/collections/zip", params={"name": NAME})
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''Best_%20of_2024.zip"
    taken = jpeg(3, taken="2024:05:31 12:00:02")
    assert files_of(answer.content) == {"ONE.png": png(2), "one-2.png": png(1), "ü.png": png(4), "taken.jpg": taken}
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.getinfo("taken.jpg").date_time == (2024, 5, 31, 12, 0, 2)
    # A file that has gone is named; everything that was taken for sending has been given back.
    (tmp_path / "home" / "in" / "ü.png").unlink()
    files = files_of(client.get("/api/collections/zip", params={"name": NAME}).content)
    assert files.keys() == {"ONE.png", "one-2.png", "taken.jpg", "not included.txt"}
    assert files["not included.txt"].decode().startswith("ü.png is missing")
    assert service.sending.take(service.limits.sending_bytes)
    assert service.exports.in_flight == 0
    empty = files_of(client.get("/api/collections/zip", params={"name": NAME}).content)  # nothing is left to send
    assert empty.keys() == {"not included.txt"} and empty["not included.txt"].count(b"\n") == 4


def test_zip_files_that_wait_are_limited(served: tuple[TestClient, Service]) -> None:
    client, service = served
    service.exports.in_flight = service.exports.limit
    answer = client.get("/api/collections/zip", params={"name": NAME})
    assert "at its limit" in refusal(answer, 503) and answer.headers["retry-after"]


def test_a_list_of_paths(served: tuple[TestClient, Service], tmp_path: Path) -> None:
    client, _ = served
    paths = [str(tmp_path / "home" / "in" / name) for name in ("b/ONE.png", "a/one.png", "ü.png", "taken.jpg")]

    def listed(form: str) -> bytes:
        answer = client.get("/api/collections/paths", params={"name": NAME, "form": form})
        assert answer.headers["content-disposition"].startswith("attachment; ")
        return answer.content

    assert listed("lines") == "".join(f"{path}\n" for path in paths).encode()
    assert listed("null") == "".join(f"{path}\0" for path in paths).encode()
    assert [one["path"] for one in json.loads(listed("json"))] == paths


@pytest.mark.parametrize("how", ["copy", "link"])
def test_photos_are_put_into_a_folder(
    served: tuple[TestClient, Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    client, _ = served
    monkeypatch.setattr(limits, "COPIED_AT_ONCE", 3)

    def copy(offset: int) -> object:
        values = {"name": NAME, "folder": "home/out", "how": how, "offset": str(offset)}
        return client.post("/api/collections/copy", params=values).json()

    target = tmp_path / "home" / "out" / "Best_ of_2024"
    for _ in range(2):  # again: nothing is there twice
        assert copy(0) == {"folder": "home/out/Best_ of_2024", "photos": 3, "failed": [], "more": True}
        assert copy(3) == {"folder": "home/out/Best_ of_2024", "photos": 1, "failed": [], "more": False}
        assert {path.name for path in target.iterdir()} == {"ONE.png", "one.png", "ü.png", "taken.jpg"}
    assert all(path.is_symlink() == (how == "link") for path in target.iterdir())
    assert (target / "one.png").read_bytes() == png(1)


@pytest.mark.parametrize("how", ["copy", "link"])
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_longer_the_photo_is_named_and_the_others_are_put_there(
    served: tuple[TestClient, Service], tmp_path: Path, how: str
) -> None:
    client, service = served
    (tmp_path / "home" / "in" / "ü.png").unlink()
    (tmp_path / "home" / "in" / "taken.jpg").unlink()
    os.mkfifo(tmp_path / "home" / "in" / "taken.jpg")
    put(tmp_path / "home" / "in" / "a" / "one.png", png(99))  # another photo under this name
    values = {"name": NAME, "folder": "home/out", "how": how}
    answer = client.post("/api/collections/copy", params=values).json()
    assert answer["photos"] == 1 and [line.split()[0] for line in answer["failed"]] == ["one.png", "ü.png", "taken.jpg"]
    assert [path.name for path in (tmp_path / "home" / "out" / "Best_ of_2024").iterdir()] == ["ONE.png"]
    assert service.sending.take(service.limits.sending_bytes)


def test_where_photos_may_not_be_put(served: tuple[TestClient, Service], tmp_path: Path) -> None:
    client, service = served
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def refused(status: int, folder: str = "home/out", name: str = NAME, **headers: str) -> str:
        values = {"name": name, "folder": folder}
        return refusal(client.post("/api/collections/copy", params=values, headers=headers), status)

    assert "in the indexed folder" in refused(422, "home/in")
    assert "in the indexed folder" in refused(422, "home/in/a")
    service.places = Places([tmp_path / "home", tmp_path / "gallery"])
    assert "belongs to the gallery" in refused(422, "gallery")
    service.places = Places([tmp_path / "home"])
    for folder in ("elsewhere", "home/../elsewhere", str(elsewhere), "/etc", "home/none"):
        refused(404, folder)
    (tmp_path / "home" / "out" / "Best_ of_2024").symlink_to(elsewhere)
    assert "choose another place" in refused(409)
    (tmp_path / "home" / "out" / "Best_ of_2024").unlink()
    put(tmp_path / "home" / "out" / "Best_ of_2024", b"a file")
    refused(409)
    assert "no collection" in refused(422, name="none")
    refused(403, origin="http://evil.example")
    service.places = Places([])
    refused(403)
    assert not list(elsewhere.iterdir()) and len(list((tmp_path / "home" / "in").rglob("*.*"))) == 4
    assert (tmp_path / "home" / "out" / "Best_ of_2024").read_bytes() == b"a file"


def test_names_of_files(served: tuple[TestClient, Service]) -> None:
    client, service = served
    photo = service.gallery.search(text="red", k=1)[0]
    for name in ("..", "   a  ", "...", "CON?*", "con.x", "ü" * 100, "a\\b"):
        assert post(client, to="/api/collections/add", name=name, ids=photo.id).status_code == 200
        values = {"name": name.strip(), "folder": "home/out"}
        answer = client.post("/api/collections/copy", params=values).json()
        folder = answer["folder"].removeprefix("home/out/")
        assert folder.partition(".")[0].upper() != "CON"
        assert folder and not set(folder) & set('/\\:*?"<>|') and not folder.startswith(".")
        assert len(os.fsencode(folder)) <= 200
    taken: set[str] = set()
    names = ["a.jpg", "A.JPG", "a-2.jpg", ".hidden", ".hidden", "plain", "plain"]
    assert [exports._free_name(name, taken) for name in names] == [
        "a.jpg", "A-2.JPG", "a-2-2.jpg", ".hidden", ".hidden-2", "plain", "plain-2"
    ]  # fmt: skip
