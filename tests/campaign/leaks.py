"""Fifty thousand requests to one server: its memory, descriptors, threads and processes do not grow.

A case is 500 requests of all kinds on connections that stay open or break. What the server has is compared with what it
had after the first cases.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2

from tests.campaign.campaigns import Campaign, Case, chance, measure, memory_of
from tests.campaign.requests import make_gallery
from tests.server.live import Live, children, live
from tests.server.uploads import CORNER, SVG, form, picture

REQUESTS = 500
CAMPAIGN = Campaign("one server, many requests", "requests", full=50_000, quick=2_000, seconds=300)
WARM = 2  # cases after which nothing grows
MORE_MEMORY = 40  # MB: freed memory is not all given back to the system
MORE_OPEN = 12  # descriptors and threads of pools that a busy moment may add


@contextmanager
def prepared(place: Path, seed: int) -> Iterator[Case]:
    ids = make_gallery(place)
    arguments = ("--gallery", str(place / "gallery"), "--model", "grid-plain")
    with live(*arguments, XDG_CACHE_HOME=str(place / "cache")) as server:
        first: dict[str, float] = {}
        done = 0

        def case(number: int) -> int:
            nonlocal done
            rng = chance("leaks", seed, number)
            for _ in range(REQUESTS):
                _send(server, ids, rng)
            done += 1
            now = _state(server.process.pid)
            if done <= WARM:
                first.update(now)
            for name, value in now.items():
                limit = MORE_MEMORY if name.startswith("memory") else 2 if name == "processes" else MORE_OPEN
                measure(f"more {name} than after {WARM * REQUESTS:,} requests", value - first[name], limit)
            measure("peak memory of the server, MB", server.peak() / 1e6, 400)
            return REQUESTS

        yield case
        code, log = server.end()
        assert code == 0
        assert "Traceback" not in log, log[-5000:]


def _state(pid: int) -> dict[str, float]:
    return {
        "memory, MB,": memory_of(pid, "VmRSS"),
        "descriptors": len([*Path(f"/proc/{pid}/fd").iterdir()]),
        "threads": len([*Path(f"/proc/{pid}/task").iterdir()]),
        "processes": len(children(pid)),
    }


def _send(server: Live, ids: list[str], rng: random.Random) -> None:
    client, id = server.client, rng.choice(ids)
    kinds: tuple[Callable[[], httpx2.Response | None], ...] = (
        lambda: client.post("api/search", files=form(strokes=CORNER)),
        lambda: client.post(
            "api/search", files=form(text=rng.choice(("red", "blue", "black")), k=rng.randrange(1, 50))
        ),
        lambda: client.post("api/search", files=form(("sketch", "x.png", picture()))),
        lambda: client.post("api/search", files=form(("photo", "x.jpg", picture("JPEG")))),
        lambda: client.post("api/search", files=form(("photo", "x.png", picture()[:80]))),
        lambda: client.get(f"api/photos/{id}"),
        lambda: client.get(f"api/photos/{id}/thumbnail?size=160"),
        lambda: client.get(f"api/photos/{id}/about"),
        lambda: client.get(f"api/photos/{id}/similar"),
        lambda: client.get("api/photos/" + "0" * 16),
        lambda: client.get("api/status"),
        lambda: client.get("metrics"),
        lambda: client.get(rng.choice(("", "nothing", "api/search", "openapi.json"))),
        lambda: _hang_up(server),
    )
    kind = (
        rng.choice(kinds)
        if rng.random() > 0.005
        else lambda: client.post("api/search", files=form(("sketch", "x", SVG)))
    )
    answer = kind()
    assert answer is None or answer.status_code < 500 or answer.status_code == 503, answer.text


def _hang_up(server: Live) -> None:
    with suppress(OSError):
        server.connect(b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n--x").close()
