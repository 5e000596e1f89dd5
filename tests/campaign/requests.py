"""Requests of all kinds to two servers, one of which asks for a token: no answer is a 5xx but 503, and both live on.

A case is 100 requests made from the schema, whose answers must fit the schema, and 20 that no browser sends.
"""

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from sketchseek.gallery import Gallery
from tests.campaign.campaigns import Campaign, Case, chance, measure
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, jpeg, put
from tests.pictures.mutations import good_pictures
from tests.server.hostile_requests import hostile_request
from tests.server.live import Live, live
from tests.server.made_requests import asking, send

MADE, HOSTILE = 100, 20
CAMPAIGN = Campaign("rules and forms of the server", "requests", full=60_000, quick=1_200, seconds=120)
TOKEN = "correct-horse-battery"
MOST_LINES = 100  # of the log of a server, whatever was sent
SECONDS = 30


@contextmanager
def prepared(place: Path, number_of_seed: int) -> Iterator[Case]:
    ids = make_gallery(place)
    good = good_pictures()
    operations: list[Any] = [found.ok() for found in asking.get_all_operations()]  # type: ignore[union-attr]
    arguments = ("--gallery", str(place / "gallery"), "--model", "grid-plain")
    cache: Any = {"XDG_CACHE_HOME": str(place / "cache")}
    with live(*arguments, **cache) as server, live(*arguments, "--token", TOKEN, **cache) as guarded:

        def case(number: int) -> int:
            rng = chance("requests", number_of_seed, number)
            _send_made(operations[number % len(operations)], server, ids, rng)
            for turn in range(HOSTILE):
                _send_hostile(guarded if turn % 3 == 0 else server, hostile_request(rng, ids, good))
            for one, token in ((server, {}), (guarded, {"authorization": f"Bearer {TOKEN}"})):
                assert one.client.get("api/status", headers=token).status_code in (200, 429)
                measure("peak memory of the server, MB", one.peak() / 1e6, 400)
            return MADE + HOSTILE

        yield case
        for one in (server, guarded):
            code, log = one.end()
            assert code == 0
            assert "Traceback" not in log, log[-5000:]
            measure("lines of the log of a server", len(log.splitlines()), MOST_LINES)


def make_gallery(place: Path) -> list[str]:
    """A gallery of 16 photos in ``place / "gallery"``: their ids."""
    fill(place / "photos", 12)
    for month in range(1, 5):
        put(place / "photos" / "2024" / f"{month}.jpg", jpeg(month, taken=f"2024:0{month}:15 12:00:00"))
    with Gallery.open(place / "gallery", GridModel()) as gallery:
        gallery.add(place / "photos")
        return [hit.id for hit in gallery.search(text="red", k=50)]


def _send_made(operation: Any, server: Live, ids: list[str], rng: random.Random) -> None:
    turns = count()

    @seed(rng.randrange(2**32))
    @settings(
        max_examples=MADE,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def send_all(case: Any) -> None:
        turn = next(turns)
        try:
            send(case, server.url, ids[turn % len(ids)] if turn % 2 else None)
        except TypeError as error:  # of schemathesis itself, for some of the requests that it has made
            if "Unsupported type" not in str(error):
                raise

    send_all()


def _send_hostile(server: Live, request: bytes) -> None:
    """The answer, if there is one, is a refusal or right; a connection may also be closed without one."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as connection:
        answer = HTTPResponse(connection)
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            answer.begin()
            answer.read()
        except TimeoutError:
            raise AssertionError(f"no answer in {SECONDS} s to {request[:2000]!r}") from None
        except (OSError, HTTPException):  # closed, or not in HTTP because the request is not
            return
        assert answer.status < 500 or answer.status == 503, f"{answer.status} for {request[:2000]!r}"
