"""Sixty-four clients at once, while a folder is indexed, on the model that ships: every answer is right or "try again".

A case is ten seconds of it; the folder gets new photos for each case, and its index goes on from one to the next.
"""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.campaign.campaigns import Campaign, Case, chance, measure, memory_of
from tests.gallery.photos import jpeg, put
from tests.server.live import Live, children, live, wait_until
from tests.server.uploads import CORNER, form, picture

CLIENTS, SECONDS = 64, 10
CAMPAIGN = Campaign("64 clients while a folder is indexed", "seconds", full=300, quick=10, seconds=240)
PHOTOS = 30  # new for each case


@contextmanager
def prepared(place: Path, seed: int) -> Iterator[Case]:
    photos = place / "photos"
    for number in range(20):
        put(photos / f"{number}.jpg", jpeg(number, size=(320, 240)))
    total = 20

    def case(number: int) -> int:
        nonlocal total
        rng = chance("load", seed, number)
        for one in range(PHOTOS):
            put(photos / str(number) / f"{one}.jpg", jpeg(rng.randrange(10**6), size=(640, 480)))
        total += PHOTOS
        arguments = (str(photos), "--gallery", str(place / "gallery"), "--model", "default")
        with live(*arguments, XDG_CACHE_HOME=str(place / "cache")) as server:
            statuses: list[int] = []
            errors: list[BaseException] = []
            end = time.monotonic() + SECONDS
            threads = [
                threading.Thread(target=_client, args=(server, end, random.Random(rng.random()), statuses, errors))
                for _ in range(CLIENTS)
            ]
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                for pid in children(server.process.pid):
                    _measure_child(pid)
                time.sleep(0.5)
            assert not errors, errors
            assert set(statuses) <= {200, 503}, set(statuses)
            measure("answers in ten seconds", statuses.count(200))
            measure("refusals (503) in ten seconds", statuses.count(503))
            measure("peak memory of the server, MB", server.peak() / 1e6, 900)
            wait_until(lambda: server.client.get("api/status").json()["indexing"]["state"] == "done")
            assert server.client.get("api/status").json()["photos"] == total
            code, log = server.end()
        assert code == 0
        assert "Traceback" not in log, log[-5000:]
        return SECONDS

    yield case


def _measure_child(pid: int) -> None:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        measure(f"peak memory of {'indexing' if b'index' in command else 'a decoder'}, MB", memory_of(pid), 2000)
    except OSError:  # it has ended
        pass


def _client(server: Live, end: float, rng: random.Random, statuses: list[int], errors: list[BaseException]) -> None:
    try:
        with httpx2.Client(base_url=server.url, timeout=120) as client:
            while time.monotonic() < end:
                kind = rng.randrange(5)
                if kind == 0:
                    answer = client.post("api/search", files=form(strokes=CORNER))
                elif kind == 1:
                    answer = client.post("api/search", files=form(text=rng.choice(("cat", "red car", "tree"))))
                elif kind == 2:
                    answer = client.post("api/search", files=form(("sketch", "x.png", picture())))
                else:
                    answer = client.get(rng.choice(("api/status", "metrics", "", "openapi.json")))
                statuses.append(answer.status_code)
                hits = answer.json().get("hits", []) if kind < 3 and answer.status_code == 200 else []
                if hits:
                    statuses.append(client.get(f"api/photos/{hits[0]['id']}/thumbnail").status_code)
    except BaseException as error:
        errors.append(error)
