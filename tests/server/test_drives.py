"""A real server whose photos were replaced, or lie on a drive that stops answering: a refusal in time, never a hang."""

import io
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from sketchseek.gallery import Gallery
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, png, put
from tests.server.live import Live, children, is_alive, live, wait_until
from tests.server.uploads import CORNER, form, picture, refusal

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc and sends signals")

EXIT_S = 15  # 3 on an idle machine


def gallery_of(folder: Path, place: Path) -> dict[str, str]:
    """A gallery at ``place``: the id of each photo by its file name."""
    with Gallery.open(place, GridModel()) as gallery:
        gallery.add(folder)
        return {hit.path.name: hit.id for hit in gallery.search(text="red", k=100)}


def serve(place: Path, tmp_path: Path, read_s: int = 10) -> AbstractContextManager[Live]:
    """``read_s``: seconds for a photo's file to be read. The thumbnails of other runs would hide the files."""
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "SERVE_GRID_READ_S": str(read_s)}
    return live("--gallery", str(place), "--model", "grid-plain", browser=False, **environment)


def to_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def to_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def to_twenty_gigabytes(path: Path) -> None:
    os.truncate(path, 20 * 2**30)


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def test_files_that_never_end_are_refused_and_hold_no_thread(tmp_path: Path) -> None:
    changes: list[Callable[[Path], None]] = [to_pipe, to_device, to_twenty_gigabytes, to_folder]
    files = fill(tmp_path / "photos", len(changes))
    ids = gallery_of(tmp_path / "photos", tmp_path / "gallery")
    for change, path in zip(changes, files, strict=True):
        change(path)
    with serve(tmp_path / "gallery", tmp_path) as server:
        for path in files:
            for rest in ("", "/thumbnail"):
                message = refusal(server.client.get(f"api/photos/{ids[path.name]}{rest}"), 410)
                assert message.startswith(f"{path.name} is missing or has changed")
            assert server.client.get(f"api/photos/{ids[path.name]}/about").status_code == 200
        assert server.client.get("api/status").status_code == 200
        assert server.client.get("metrics").status_code == 200
        code, stderr = server.end(signal.SIGTERM)
        assert code == 0
        assert "Traceback" not in stderr


def test_a_drive_that_stops_answering_costs_a_deadline_and_status_answers_always(tmp_path: Path) -> None:
    """The processes that read photos are stopped: a drive that hangs looks the same from the server."""
    ids = [*gallery_of(fill(tmp_path / "photos", 8)[0].parent, tmp_path / "gallery").values()]
    with serve(tmp_path / "gallery", tmp_path, read_s=3) as server:
        readers = stop_readers(server, ids)
        answers: list[httpx2.Response] = []

        def ask(id: str) -> None:
            with httpx2.Client(base_url=server.url, timeout=120) as client:
                answers.append(client.get(f"api/photos/{id}"))

        threads = [threading.Thread(target=ask, args=(id,)) for id in ids]
        for thread in threads:
            thread.start()
        for _ in range(5):
            assert server.client.get("api/status").status_code == 200
            assert server.client.get("metrics").status_code == 200
        for thread in threads:
            thread.join()
        refused = [answer for answer in answers if answer.status_code != 200]
        assert refused
        for answer in refused:
            assert "is its drive" in refusal(answer, 503)
            assert answer.headers["retry-after"]
        assert {server.client.get(f"api/photos/{id}").status_code for id in ids} == {200}
    for pid in filter(is_alive, readers):  # one that no request met is still stopped
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_seconds_while_a_drive_hangs(tmp_path: Path, sign: int) -> None:
    ids = [*gallery_of(fill(tmp_path / "photos", 8)[0].parent, tmp_path / "gallery").values()]
    with serve(tmp_path / "gallery", tmp_path, read_s=600) as server:
        readers = stop_readers(server, ids)
        connections = [
            server.connect(f"GET /api/photos/{id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()) for id in ids
        ]
        hangs = re.compile(r"sketchseek_pictures_in_flight [1-8]\.0")
        wait_until(lambda: hangs.search(server.client.get("metrics").text) is not None)
        began = time.monotonic()
        code, stderr = server.end(sign)
        assert time.monotonic() - began < EXIT_S
        assert code == 0
        assert "Traceback" not in stderr
        wait_until(lambda: not any(is_alive(pid) for pid in readers))
        for connection in connections:
            connection.close()


def stop_readers(server: Live, ids: list[str]) -> list[int]:
    """Stop every process that has opened pictures for the server, after starting at least one: their pids."""
    assert server.client.get(f"api/photos/{ids[0]}").status_code == 200
    pids = children(server.process.pid)
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    return pids


def test_a_photo_swapped_during_requests_is_never_shown(tmp_path: Path) -> None:
    """A link that alternates between the photo and another picture: no answer and no kept thumbnail shows the other."""
    own, other = tmp_path / "own.png", put(tmp_path / "other.png", picture(size=(60, 40), colour="blue"))
    put(own, png(1))
    link = tmp_path / "photos" / "x.png"
    put(link, png(1))
    ids = gallery_of(link.parent, tmp_path / "gallery")
    with serve(tmp_path / "gallery", tmp_path) as server:
        done = threading.Event()

        def swap() -> None:
            while not done.is_set():
                for target in (own, other):
                    spare = link.with_suffix(".new")
                    spare.symlink_to(target)
                    spare.replace(link)

        swapper = threading.Thread(target=swap)
        swapper.start()
        try:
            for _ in range(40):
                answer = server.client.get(f"api/photos/{ids['x.png']}")
                assert answer.status_code == 410 or answer.content == png(1)
                thumbnail = server.client.get(f"api/photos/{ids['x.png']}/thumbnail?size=160")
                assert thumbnail.status_code == 410 or is_of_png_1(thumbnail.content)
                for kept in (tmp_path / "cache").rglob("*.jpg"):
                    assert is_of_png_1(kept.read_bytes())
                    kept.unlink()
        finally:
            done.set()
            swapper.join()
        assert server.client.post("api/search", files=form(strokes=CORNER)).status_code == 200


def is_of_png_1(data: bytes) -> bool:
    """Whether a thumbnail has the size of the indexed photo: the other picture is larger."""
    return Image.open(io.BytesIO(data)).size == (16, 16)
