import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from sketchseek.gallery import Gallery
from sketchseek.server.app import create_app
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import flat, jpeg, png, put
from tests.server.conftest import ADDRESS, make_service
from tests.server.live import wait_until
from tests.server.uploads import post, refusal

Serve = Callable[[dict[str, bytes]], tuple[TestClient, dict[str, str]]]
PATHS = [
    "../../../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "/etc/passwd",
    "file:///etc/passwd",
    "0123456789abcdef%00.jpg",
    "0123456789ABCDEF",
    "0123456789abcde",
    "0123456789abcdef0",
    "0123456789abcde%0a",
    "..\\..\\windows",
    "%ff%fe",
    "a" * 5000,
]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Serve]:
    """A server of these files; returns its client and the id of each file by name."""
    stack = ExitStack()

    def serve(files: dict[str, bytes]) -> tuple[TestClient, dict[str, str]]:
        for name, data in files.items():
            put(tmp_path / "own" / name, data)
        with Gallery.open(tmp_path / "own-gallery", GridModel()) as gallery:
            assert not gallery.add(tmp_path / "own").failed
            ids = {hit.path.name: hit.id for hit in gallery.search(text="red", k=100)}
        service = make_service(tmp_path / "own-gallery", GridModel(), tmp_path)
        return stack.enter_context(TestClient(create_app(service), base_url=ADDRESS)), ids

    with stack:
        yield serve


def encoded(kind: str, *, exif: bool = False) -> bytes:
    """A picture whose left half is red, or whose top is when its EXIF is followed."""
    image = Image.new("RGB", (40, 20), "blue")
    image.paste("red", (0, 0, 20, 20))
    notes = Image.Exif()
    notes[274] = 6
    stream = io.BytesIO()
    image.save(stream, kind, **({"exif": notes} if exif else {}))
    return stream.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP"])
def test_what_browsers_show_is_sent_as_it_is(served: Serve, kind: str) -> None:
    data = encoded(kind)
    client, ids = served({f"x.{kind.lower()}": data})
    answer = client.get(f"/api/photos/{ids[f'x.{kind.lower()}']}")
    assert answer.content == data
    assert answer.headers["content-type"] == f"image/{kind.lower()}"
    assert answer.headers["content-length"] == str(len(data))


def test_a_turned_jpeg_is_left_to_the_browser(served: Serve) -> None:
    data = encoded("JPEG", exif=True)
    client, ids = served({"x.jpg": data})
    assert client.get(f"/api/photos/{ids['x.jpg']}").content == data


@pytest.mark.parametrize(("kind", "exif"), [("TIFF", False), ("PNG", True), ("WEBP", True)])
def test_what_browsers_do_not_show_upright_is_sent_as_jpeg(served: Serve, kind: str, exif: bool) -> None:
    name = f"x.{kind.lower()}"
    client, ids = served({name: encoded(kind, exif=exif)})
    answer = client.get(f"/api/photos/{ids[name]}")
    assert answer.headers["content-type"] == "image/jpeg"
    image = opened(answer.content)
    assert image.size == ((20, 40) if exif else (40, 20))
    red, _, blue = image.convert("RGB").getpixel((5, 5))  # type: ignore[misc]
    assert red > 200 > 60 > blue


def test_a_file_s_name_does_not_decide_what_it_is_sent_as(served: Serve) -> None:
    client, ids = served({"really-a-png.jpg": png(1)})
    answer = client.get(f"/api/photos/{ids['really-a-png.jpg']}")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("size", [160, 320, 640, 1280])
def test_a_thumbnail_is_a_small_upright_jpeg(served: Serve, size: int) -> None:
    client, ids = served({"x.jpg": jpeg(1, size=(1500, 900), turned=True)})
    answer = client.get(f"/api/photos/{ids['x.jpg']}/thumbnail", params={"size": size})
    assert answer.headers["content-type"] == "image/jpeg"
    image = opened(answer.content)
    assert image.format == "JPEG"
    assert image.size == (round(size * 0.6), size)


def test_a_thumbnail_is_never_larger_than_the_photo_and_looks_like_it(served: Serve) -> None:
    client, ids = served({"x.png": flat((200, 40, 90))})
    image = opened(client.get(f"/api/photos/{ids['x.png']}/thumbnail").content)
    assert image.size == (16, 16)
    assert np.abs(np.asarray(image.convert("RGB"), int) - (200, 40, 90)).max() < 6


def test_pictures_may_be_kept_for_ever(client: TestClient, some_id: str) -> None:
    for path in (f"/api/photos/{some_id}", f"/api/photos/{some_id}/thumbnail?size=160"):
        first = client.get(path)
        assert first.headers["cache-control"] == "private, max-age=31536000, immutable"
        again = client.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    assert client.get("/api/status").headers["cache-control"] == "no-store"


def test_a_thumbnail_is_made_once(served: Serve, tmp_path: Path) -> None:
    client, ids = served({"x.png": png(1)})
    url = f"/api/photos/{ids['x.png']}/thumbnail"
    first = client.get(url).content
    (kept,) = (tmp_path / "cache").rglob("*.jpg")
    assert kept.read_bytes() == first
    kept.write_bytes(b"from the cache")
    assert client.get(url).content == b"from the cache"


@pytest.mark.parametrize("query", ["size=161", "size=0", "size=-1", "size=1e9", "size=x", "size="])
def test_only_a_few_sizes_are_made(client: TestClient, some_id: str, query: str) -> None:
    assert "size:" in refusal(client.get(f"/api/photos/{some_id}/thumbnail?{query}"), 422)


@pytest.mark.parametrize("path", PATHS)
def test_an_id_is_never_a_path(client: TestClient, path: str) -> None:
    for id in (path, quote(path, safe="")):
        for rest in ("", "/thumbnail", "/similar", "/about"):
            answer = client.get(f"/api/photos/{id}{rest}")
            assert answer.status_code in (404, 422)
            assert "error" in answer.json()
            assert "root:" not in answer.text


def test_the_page_s_folder_is_not_left(client: TestClient) -> None:
    for path in (
        "/../app.py",
        "/%2e%2e/app.py",
        "/..%2fapp.py",
        "/js/../../guard.py",
        "//etc/passwd",
        "/%5c..%5capp.py",
    ):
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.json() == {"error": "there is nothing at this address."}


def test_unknown_photos(client: TestClient) -> None:
    for rest in ("", "/thumbnail", "/similar", "/about"):
        assert "no photo" in refusal(client.get(f"/api/photos/{'0' * 16}{rest}"), 404)


def test_a_missing_or_changed_photo_is_reported_and_its_copy_is_shown(served: Serve, tmp_path: Path) -> None:
    client, ids = served({"a.png": png(1), "gone.png": png(2), "changed.png": png(3), "b/twin.png": png(1)})
    (tmp_path / "own" / "gone.png").unlink()
    (tmp_path / "own" / "changed.png").write_bytes(png(4))
    for name in ("gone.png", "changed.png"):
        for rest in ("", "/thumbnail"):
            message = refusal(client.get(f"/api/photos/{ids[name]}{rest}"), 410)
            assert message.startswith(f"{name} is missing or has changed")
    one = ids.get("a.png") or ids["twin.png"]
    (tmp_path / "own" / "a.png").write_bytes(b"another file by now")
    assert client.get(f"/api/photos/{one}").content == png(1)


def test_a_link_put_in_a_photo_s_place_is_not_followed_to_other_content(served: Serve, tmp_path: Path) -> None:
    client, ids = served({"x.png": png(1)})
    (tmp_path / "own" / "x.png").unlink()
    (tmp_path / "own" / "x.png").symlink_to("/etc/passwd")
    refusal(client.get(f"/api/photos/{ids['x.png']}"), 410)
    refusal(client.get(f"/api/photos/{ids['x.png']}/thumbnail"), 410)


def test_where_a_photo_is_stored(served: Serve, tmp_path: Path) -> None:
    client, ids = served({"a.png": png(1), "b/twin.png": png(1), "c.jpg": jpeg(1, taken="2024:05:01 10:00:00")})
    one = ids.get("a.png") or ids["twin.png"]
    assert client.get(f"/api/photos/{one}/about").json() == {
        "id": one,
        "name": "a.png",
        "folder": "own",
        "path": str(tmp_path / "own" / "a.png"),
        "width": 16,
        "height": 16,
        "taken": None,
        "duplicates": ["own/b/twin.png"],
    }
    assert client.get(f"/api/photos/{ids['c.jpg']}/about").json()["taken"] == "2024-05-01T10:00:00"


def test_a_download_is_the_file_with_its_name(served: Serve) -> None:
    data = encoded("TIFF")
    client, ids = served({"grüße 1.tif": data, "red.png": flat((220, 30, 30))})
    id = ids["grüße 1.tif"]
    answer = client.get(f"/api/photos/{id}", params={"download": "true"})
    assert answer.content == data
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''gr%C3%BC%C3%9Fe%201.tif"
    assert client.get(f"/api/photos/{id}").headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "no-store"  # its name may change


def test_the_file_that_is_shown_is_the_one_that_is_named_saved_and_revealed(served: Serve, tmp_path: Path) -> None:
    _, ids = served({"a/first.png": png(1), "b/second one.png": png(1), "c/third.png": png(1)})
    (id,) = set(ids.values())
    service = make_service(tmp_path / "own-gallery", GridModel(), tmp_path)
    revealed: list[Path] = []
    service.reveal = revealed.append
    with TestClient(create_app(service), base_url=ADDRESS) as client:
        (hit,) = post(client, text="red", name="second").json()["hits"]
        file = {"file": f"{hit['folder']}/{hit['name']}"}
        assert file == {"file": "own/b/second one.png"}

        def saved() -> str:
            answer = client.get(f"/api/photos/{id}", params={"download": "true"} | file)
            assert answer.content == png(1)
            assert client.post(f"/api/photos/{id}/reveal", params=file).status_code == 204
            return str(answer.headers["content-disposition"].rpartition("'")[2])

        about = client.get(f"/api/photos/{id}/about", params=file).json()
        assert about["path"] == str(tmp_path / "own" / "b" / "second one.png")
        assert (about["folder"], about["name"]) == ("own/b", "second one.png")
        assert about["duplicates"] == ["own/a/first.png", "own/c/third.png"]
        assert saved() == "second%20one.png"
        (tmp_path / "own" / "b" / "second one.png").unlink()
        (tmp_path / "own" / "a" / "first.png").write_bytes(png(2))  # another photo by now
        assert saved() == "third.png"
        assert revealed == [tmp_path / "own" / "b" / "second one.png", tmp_path / "own" / "c" / "third.png"]
        (tmp_path / "own" / "c" / "third.png").unlink()
        for answer in (
            client.get(f"/api/photos/{id}", params={"download": "true"} | file),
            client.post(f"/api/photos/{id}/reveal", params=file),
        ):
            assert "second one.png is missing" in refusal(answer, 410)
    assert service.sending.take(service.limits.sending_bytes)  # all that was taken has been given back


def test_facts_of_the_camera(served: Serve) -> None:
    exif = Image.Exif()
    exif[272] = "EOS R6"
    stream = io.BytesIO()
    Image.new("RGB", (9, 9)).save(stream, "JPEG", exif=exif)
    client, ids = served({"x.jpg": stream.getvalue(), "red.png": flat((220, 30, 30))})
    found = client.get(f"/api/photos/{ids['x.jpg']}/facts").json()
    assert {key: value for key, value in found.items() if value is not None} == {
        "bytes": len(stream.getvalue()),
        "camera": "EOS R6",
    }
    assert client.get(f"/api/photos/{ids['red.png']}/facts").json()["camera"] is None


def test_a_photo_is_revealed_only_where_that_is_allowed(served: Serve, tmp_path: Path) -> None:
    client, ids = served({"red.png": flat((220, 30, 30))})
    assert "file manager" in refusal(client.post(f"/api/photos/{ids['red.png']}/reveal"), 403)
    shown: list[Path] = []
    service = make_service(tmp_path / "own-gallery", GridModel(), tmp_path)
    service.reveal = shown.append
    with TestClient(create_app(service), base_url=ADDRESS) as desktop:
        assert desktop.get("/api/status").json()["reveals"]
        assert desktop.post(f"/api/photos/{ids['red.png']}/reveal").status_code == 204
        assert "has no photo" in refusal(desktop.post(f"/api/photos/{'0' * 16}/reveal"), 404)
        foreign = {"origin": "http://evil.example"}
        assert desktop.post(f"/api/photos/{ids['red.png']}/reveal", headers=foreign).status_code == 403
    assert shown == [tmp_path / "own" / "red.png"]


def test_the_file_manager_is_the_one_of_the_desktop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from sketchseek.server.reveal import revealer

    monkeypatch.setattr("sys.platform", "linux")
    program = put(tmp_path / "bin" / "xdg-open", f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/shown\n'.encode())
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    assert revealer() is None
    monkeypatch.setenv("DISPLAY", ":0")
    reveal = revealer()
    assert reveal is not None
    reveal(tmp_path / "photos" / "a b.png")
    wait_until(lambda: (tmp_path / "shown").exists() and (tmp_path / "shown").read_text() == str(tmp_path / "photos"))
