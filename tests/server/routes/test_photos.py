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
from tests.server.uploads import refusal

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
