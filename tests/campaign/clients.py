"""Slow and greedy clients, and pictures that are slow to open, beside a person who searches and waits for none of them.

A case is ten clients at once, each of which does something else, while ordinary searches are timed.
"""

import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path

import httpx2

from tests.campaign.campaigns import Campaign, Case, chance, measure
from tests.campaign.requests import make_gallery
from tests.pictures.mutations import good_pictures, hostile_picture
from tests.server.live import Live, live
from tests.server.test_hostile import SLOW_SVG, UPLOADS
from tests.server.uploads import CORNER, form

CLIENTS = 10
CAMPAIGN = Campaign("slow and greedy clients beside a person who searches", "clients", full=600, quick=40, seconds=120)
HOLD = 1.0  # seconds that a connection is held
WAIT_MS = 20_000  # of an ordinary search on a busy machine; the table shows the longest, below 1000 on an idle one
HEAD = b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
Client = Callable[[Live, random.Random], None]


def slow_head(server: Live, rng: random.Random) -> None:
    with server.connect() as connection:
        for byte in HEAD[: rng.randrange(5, 60)]:
            connection.sendall(bytes([byte]))
            time.sleep(HOLD / 60)


def slow_body(server: Live, rng: random.Random) -> None:
    with server.connect(HEAD + b"Content-Length: 100000\r\n\r\n--x\r\n") as connection:
        for _ in range(20):
            connection.sendall(b"x")
            time.sleep(HOLD / 20)


def idle_connections(server: Live, rng: random.Random) -> None:
    connections = [server.connect(b"GET / HT" if number % 2 else b"") for number in range(100)]
    time.sleep(HOLD)
    for connection in connections:
        connection.close()


def reads_nothing(server: Live, rng: random.Random) -> None:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", server.port))
    connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200)
    time.sleep(HOLD)
    connection.close()


def hangs_up(server: Live, rng: random.Random) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="strokes"\r\n\r\n' + CORNER.encode() + b"\r\n--x--\r\n"
    for _ in range(20):
        cut = rng.randrange(len(body) + 1)
        server.connect(HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:cut]).close()


def announces_a_gigabyte(server: Live, rng: random.Random) -> None:
    with server.connect(HEAD + f"Content-Length: {2**30}\r\n\r\n".encode()) as connection:
        _read(connection)


def sends_for_ever(server: Live, rng: random.Random) -> None:
    with server.connect(HEAD + b"Transfer-Encoding: chunked\r\n\r\n") as connection:
        for _ in range(60):
            connection.sendall(b"100000\r\n" + bytes(2**20) + b"\r\n")


def slow_drawing(server: Live, rng: random.Random) -> None:
    _upload(server, "slow.svg", SLOW_SVG)


def bomb(server: Live, rng: random.Random) -> None:
    name = rng.choice(sorted(UPLOADS))
    _upload(server, name, UPLOADS[name])


def damaged_pictures(server: Live, rng: random.Random) -> None:
    good = good_pictures()
    for _ in range(3):
        _upload(server, *hostile_picture(good, rng))


def wants_all(server: Live, rng: random.Random) -> None:
    """Twenty searches at once."""
    threads = [threading.Thread(target=_upload, args=(server, "x.svg", UPLOADS["style.svg"])) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


KINDS: tuple[Client, ...] = (
    slow_head,
    slow_body,
    idle_connections,
    reads_nothing,
    hangs_up,
    announces_a_gigabyte,
    sends_for_ever,
    slow_drawing,
    slow_drawing,
    bomb,
    damaged_pictures,
    wants_all,
)


@contextmanager
def prepared(place: Path, seed: int) -> Iterator[Case]:
    make_gallery(place)
    arguments = ("--gallery", str(place / "gallery"), "--model", "grid-plain")
    with live(*arguments, XDG_CACHE_HOME=str(place / "cache")) as server:

        def case(number: int) -> int:
            rng = chance("clients", seed, number)
            errors: list[BaseException] = []
            clients = [
                threading.Thread(target=_quietly, args=(kind, server, random.Random(rng.random()), errors))
                for kind in rng.choices(KINDS, k=CLIENTS)
            ]
            for client in clients:
                client.start()
            while True:
                _search(server)
                if not any(client.is_alive() for client in clients):
                    break
            assert not errors, errors
            measure("peak memory of the server, MB", server.peak() / 1e6, 700)
            return CLIENTS

        yield case
        code, log = server.end()
        assert code == 0
        assert "Traceback" not in log, log[-5000:]
        measure("lines of the log of the server", len(log.splitlines()), 100)


def _search(server: Live) -> None:
    """As a person does; status must answer as well."""
    answer = server.client.post("api/search", files=form(strokes=CORNER))
    assert answer.status_code == 200, answer.text
    measure("longest wait of an ordinary search, ms", answer.json()["took_ms"]["wait"], WAIT_MS)
    assert server.client.get("api/status").status_code == 200


def _quietly(kind: Client, server: Live, rng: random.Random, errors: list[BaseException]) -> None:
    """Clients may be hung up on; anything else is a failure."""
    try:
        with suppress(OSError, httpx2.TransportError):
            kind(server, rng)
    except BaseException as error:
        errors.append(error)


def _upload(server: Live, name: str, data: bytes) -> None:
    with httpx2.Client(base_url=server.url, timeout=100) as client:
        answer = client.post("api/search", files=form(("sketch", name, data)))
        assert answer.status_code in (200, 422, 503), f"{answer.status_code} for {name}"
        assert json.loads(answer.text)


def _read(connection: socket.socket) -> None:
    answer = HTTPResponse(connection)
    with suppress(HTTPException):
        answer.begin()
        assert answer.status in (408, 413, 503)
