"""``sketchseek serve`` on a gallery on a server: a process of its own, on a machine whose root is elsewhere."""

import io
import sys
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from sketchseek.gallery import Gallery
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, png
from tests.server.live import live, wait_until
from tests.server.uploads import CORNER, form

pytestmark = [
    pytest.mark.milvus,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc and sends signals"),
]


def photos_like(client: httpx2.Client, photo: bytes) -> list[dict[str, object]]:
    answer = client.post("api/search", files=form(("photo", "asked.png", photo)))
    assert answer.status_code == 200, answer.text
    return answer.json()["hits"]  # type: ignore[no-any-return]


def test_a_photo_is_found_and_shown_through_a_root(url: str, photos: Path, tmp_path: Path) -> None:
    fill(photos / "deep", 12)
    with Gallery.open(url, GridModel(), roots={"pictures": photos}) as gallery:
        gallery.add(photos)
    there = photos.rename(tmp_path / "mounted elsewhere")
    with live("--gallery", url, "--model", "grid-plain", "--root", f"pictures={there}") as server:
        found = photos_like(server.client, png(7))
        assert len(found) == 12
        assert found[0]["name"] == "00007.png"
        place = f"api/photos/{found[0]['id']}"
        assert server.client.get(place).content == png(7)
        thumbnail = server.client.get(f"{place}/thumbnail")
        assert Image.open(io.BytesIO(thumbnail.content)).size == (16, 16)
        assert server.client.get(f"{place}/about").json()["path"] == str(there / "deep" / "00007.png")
        assert len(server.client.get(f"{place}/similar").json()["hits"]) == 11
        status = server.client.get("api/status").json()
        assert status["photos"] == 12
        assert status["folders"] == [{"folder": there.name, "path": str(there)}]
        drawn = server.client.post("api/search", files=form(strokes=CORNER, under=f"{there.name}/deep"))
        assert len(drawn.json()["hits"]) == 12
        assert server.end()[0] == 0


def test_folders_are_indexed_beside_it(url: str, photos: Path) -> None:
    fill(photos, 30)
    with live(str(photos), "--gallery", url, "--model", "grid-plain", "--root", f"photos={photos}") as server:
        wait_until(lambda: server.client.get("api/status").json()["indexing"]["state"] == "done")
        assert server.client.get("api/status").json()["indexing"]["error"] is None
        assert photos_like(server.client, png(21))[0]["name"] == "00021.png"


def test_without_the_root_a_photo_is_found_but_gone(url: str, photos: Path) -> None:
    fill(photos, 3)
    with Gallery.open(url, GridModel(), roots={"pictures": photos}) as gallery:
        gallery.add(photos)
    with live("--gallery", url, "--model", "grid-plain") as server:
        best = photos_like(server.client, png(2))[0]
        answer = server.client.get(f"api/photos/{best['id']}")
        assert answer.status_code == 410
        assert len(answer.json()["error"].splitlines()) == 1
